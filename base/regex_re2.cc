// SPDX-License-Identifier: Apache-2.0
// regex_re2 - RE2 for C; see regex_re2.h. RE2 throws nothing and reports failure by ok().
#include "base/regex_re2.h"

#include <re2/re2.h>

#include "base/limits.h"

#include <cstdio>
#include <new>
#include <string>

struct regex_re2 {
	RE2 re;
	regex_re2(const re2::StringPiece &p, const RE2::Options &o) : re(p, o) {}
};

struct regex_re2 *regex_re2_new(const char *p, size_t n, char *msg, size_t msg_size)
{
	RE2::Options o;

	o.set_dot_nl(true);
	o.set_log_errors(false);
	o.set_max_mem(LIMIT_REGEX_PROGRAM);
	auto *re = new (std::nothrow) regex_re2(re2::StringPiece(p, n), o);
	if (re == nullptr) {
		std::snprintf(msg, msg_size, "out of memory");
		return nullptr;
	}
	if (!re->re.ok()) {
		std::snprintf(msg, msg_size, "%s", re->re.error().c_str());
		delete re;
		return nullptr;
	}
	return re;
}

void regex_re2_free(struct regex_re2 *re)
{
	delete re;
}

int regex_re2_find(const struct regex_re2 *re, const char *p, size_t len, size_t from, int whole,
	size_t *caps, size_t n)
{
	re2::StringPiece text(p, len), got[REGEX_RE2_CAPS];

	if (n > REGEX_RE2_CAPS)
		n = REGEX_RE2_CAPS;
	if (!re->re.Match(text, from, len, whole ? RE2::ANCHOR_BOTH : RE2::UNANCHORED, got,
		    static_cast<int>(n)))
		return 0;
	for (size_t i = 0; i < n; i++) {
		bool took = got[i].data() != nullptr;

		caps[2 * i] = took ? static_cast<size_t>(got[i].data() - p) : SIZE_MAX;
		caps[2 * i + 1] = took ? caps[2 * i] + got[i].size() : SIZE_MAX;
	}
	return 1;
}

size_t regex_re2_groups(const struct regex_re2 *re)
{
	return static_cast<size_t>(re->re.NumberOfCapturingGroups());
}

size_t regex_re2_group(const struct regex_re2 *re, const char *name, size_t n)
{
	const auto &names = re->re.NamedCapturingGroups();
	auto it = names.find(std::string(name, n));

	return it == names.end() ? 0 : static_cast<size_t>(it->second);
}
