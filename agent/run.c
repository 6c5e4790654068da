/* SPDX-License-Identifier: Apache-2.0 */
/* run - flags, start, loop, orderly stop; see run.h. */
#include "agent/run.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "agent/app.h"
#include "base/log.h"

#define EXIT_CONFIG 78 /* EX_CONFIG: the service manager does not try again */

const char *run_version = "0.0.0", *run_revision = "unknown";

struct run_flags {
	const char *config;
	struct config_flags override;
	enum log_level level;
	enum log_format format;
};

static int usage(const char *what, const char *value)
{
	(void)fprintf(stderr,
		"belfry run: %s%s%s\nUsage: belfry run --config FILE [--storage.path DIR] "
		"[--web.listen HOST:PORT] [--log.level debug|info|warn|error] [--log.format "
		"logfmt|json]\n",
		what, value != NULL ? " " : "", value != NULL ? value : "");
	return 2;
}

static int read_flags(int argc, char **argv, struct run_flags *f)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"storage.path", required_argument, NULL, 's'},
		{"web.listen", required_argument, NULL, 'w'},
		{"log.level", required_argument, NULL, 'l'},
		{"log.format", required_argument, NULL, 'f'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	*f = (struct run_flags){.level = LOG_INFO};
	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (opt) {
		case 'c': f->config = optarg; break;
		case 's': f->override.storage_path = optarg; break;
		case 'w': f->override.web_listen = optarg; break;
		case 'l':
			if (!log_level_parse(str_c(optarg), &f->level))
				return usage("unknown --log.level", optarg);
			break;
		case 'f':
			if (strcmp(optarg, "logfmt") != 0 && strcmp(optarg, "json") != 0)
				return usage("unknown --log.format", optarg);
			f->format = optarg[0] == 'j' ? LOG_JSON : LOG_LOGFMT;
			break;
		default: return usage("unknown or incomplete option", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return usage("unexpected argument", argv[optind]);
	if (f->config == NULL)
		return usage("--config FILE is missing", NULL);
	return 0;
}

int run_main(int argc, char **argv)
{
	struct run_flags f;
	struct app *app;
	struct err e;
	int rc = read_flags(argc, argv, &f);

	if (rc != 0)
		return rc;
	log_init(f.level, f.format);
	rc = app_start(&app, f.config, &f.override, &e);
	if (rc != 0) {
		(void)fprintf(stderr, "belfry: %s\n", e.msg);
		return e.kind == ERR_INPUT ? EXIT_CONFIG : 1;
	}
	app_run(app);
	app_stop(app);
	return 0;
}
