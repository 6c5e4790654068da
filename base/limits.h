/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits - every bound of belfry in one place, each with its reason.
 *
 * Configuration may lower most of them and raise some up to the ceiling named here. Hitting
 * one refuses the newest excess, counts it, and logs at most once a minute.
 */
#ifndef BELFRY_BASE_LIMITS_H
#define BELFRY_BASE_LIMITS_H

/* --- configuration and rule files --- */
#define LIMIT_YAML_BYTES     (4u << 20) /* libyaml is quadratic on deep nesting: small files only */
#define LIMIT_YAML_DEPTH     32u        /* deeper than any real configuration */
#define LIMIT_YAML_NODES     2000000u   /* nodes of one document */
#define LIMIT_DIAG_ERRORS    20u        /* errors of one file shown at once */
#define LIMIT_CONFIG_BYTES   (64u << 20) /* arena of one loaded configuration */
#define LIMIT_RULE_GROUPS    20000u      /* groups over all rule files */
#define LIMIT_HEARTBEATS     1000u       /* names of jobs that report */
#define LIMIT_HEARTBEAT_NAME 128u        /* bytes of such a name */
#define LIMIT_PACKS          32u         /* rule packs in use, those that come along too */
#define LIMIT_PACK_SETTINGS  256u        /* --set of one command */
#define LIMIT_RULES          200000u     /* rules over all groups */

/* --- labels and samples (defaults of VictoriaMetrics and Prometheus; see architecture.md 1.4) ---
 */
#define LIMIT_LABELS        64u          /* labels of one series */
#define LIMIT_LABEL_NAME    1024u        /* bytes of a label name */
#define LIMIT_LABEL_VALUE   4096u        /* bytes of a label value */
#define LIMIT_HIST_BUCKETS  20000u       /* populated buckets of one native histogram */
#define LIMIT_HIST_SPANS    10000u       /* spans of one side of a native histogram */
#define LIMIT_HIST_CUSTOM   2000u        /* custom bucket bounds of one native histogram */
#define LIMIT_MAX_SERIES    20000000u    /* ceiling of storage.max_series */
#define LIMIT_BATCH_SAMPLES 4000000u     /* samples of one batch to the storage writer */
#define LIMIT_WRITER_QUEUE  1024u        /* batches waiting for the storage writer */
#define LIMIT_WRITER_BYTES  (256u << 20) /* bytes of batches waiting for the storage writer */
#define LIMIT_AHEAD_MS      600000       /* samples further ahead of the wall clock are refused */

/* --- StatsD --- */
#define LIMIT_STATSD_PACKET  65536u       /* largest datagram taken */
#define LIMIT_STATSD_NAME    512u         /* bytes of a metric name on the wire */
#define LIMIT_STATSD_TAGS    40u          /* tags of one line */
#define LIMIT_STATSD_SERIES  1000000u     /* series of one reader's table */
#define LIMIT_STATSD_BYTES   (512u << 20) /* memory of the table, sets and timers included */
#define LIMIT_STATSD_BUCKETS 160u         /* buckets of a timer before its resolution halves */

/* --- scrape --- */
#define LIMIT_SCRAPE_BODY    (64u << 20) /* default body_size_limit, decoded */
#define LIMIT_SCRAPE_LINE    (1u << 20)  /* one line of exposition text */
#define LIMIT_SCRAPE_TARGETS 20000u      /* targets over all jobs */
#define LIMIT_REDIRECTS      3           /* redirects followed by a scrape, same host only */

/* --- HTTP server --- */
#define LIMIT_HTTP_CONNS       512u         /* open connections */
#define LIMIT_HTTP_HEAD_BYTES  (32u << 10)  /* request line and headers */
#define LIMIT_HTTP_HEAD_MS     10000        /* total time for the head */
#define LIMIT_HTTP_BODY_MS     60000        /* total time for the body */
#define LIMIT_HTTP_STALL_MS    30000        /* a reader that takes nothing for this long is cut */
#define LIMIT_HTTP_IDLE_MS     300000       /* a kept-alive connection without a request */
#define LIMIT_HTTP_BODY        (1u << 20)   /* body of an ordinary API request */
#define LIMIT_HTTP_QUERY_BODY  (4u << 20)   /* a form: expressions of 1 MB are told what is wrong */
#define LIMIT_HTTP_WRITE_BODY  (32u << 20)  /* compressed body of remote write */
#define LIMIT_HTTP_ALERTS_BODY (64u << 20)  /* POST /api/v2/alerts: 100,000 of 600 bytes */
#define LIMIT_HTTP_IN_BYTES    (256u << 20) /* all request bodies being read or worked at */
#define LIMIT_HTTP_OUT_BYTES   (256u << 20) /* all reply bytes waiting to be sent */
#define LIMIT_HTTP_BACKLOG     4096         /* listen(2) backlog */
#define LIMIT_DECODED_BYTES    (32u << 20)  /* one remote-write body after snappy */
#define LIMIT_DECODED_RATIO    64u          /* snappy's best is about 21: more is a bomb */
#define LIMIT_WRITE_CACHE      2000000u     /* label blocks remembered by one decoder */
#define LIMIT_SERIES_ANSWER    1000000u     /* label sets in one answer of /api/v1/series */

/* --- PromQL --- */
#define LIMIT_EXPR_BYTES    16384u    /* text of one expression */
#define LIMIT_EXPR_DEPTH    200u      /* nodes from root to leaf; brackets while parsing */
#define LIMIT_EXPR_REGEXES  128u      /* compiled regular expressions of one expression */
#define LIMIT_QUERY_STEPS   11000     /* steps of one range query, as Prometheus */
#define LIMIT_QUERY_SAMPLES 50000000u /* query.max_samples */
#define LIMIT_QUERY_MEMORY  ((size_t)256 << 20) /* query.max_memory, one query's arena */
#define LIMIT_QUERY_QUEUE   64u                 /* queries waiting for a worker */
#define LIMIT_ANNOTATIONS   10u                 /* warnings and infos of one answer, each */
#define LIMIT_REGEX_BYTES   16384u              /* text of one: a dashboard lists every host */
#define LIMIT_REGEX_PROGRAM (1 << 20)           /* memory of one compiled expression */

/* --- templates of notifications --- */
#define LIMIT_NOTIFY_TEMPLATE_STEPS  1000000u           /* nodes one may execute */
#define LIMIT_NOTIFY_TEMPLATE_NS     250000000          /* real time: it runs on the state writer */
#define LIMIT_NOTIFY_TEMPLATE_OUTPUT ((size_t)1 << 20)  /* more is no message */
#define LIMIT_NOTIFY_TEMPLATE_MEMORY ((size_t)16 << 20) /* besides 1 KiB an alert */

/* --- graphs of messages --- */
#define LIMIT_GRAPHS_WAITING 64u                /* requests before the one thread that draws */
#define LIMIT_GRAPH_SAMPLES  2000000u           /* samples one query of them looks at */
#define LIMIT_GRAPH_MEMORY   ((size_t)32 << 20) /* of one request's queries */
#define LIMIT_GRAPH_ANSWER   ((size_t)1 << 20)  /* of what is kept until the message is sent */

/* --- rules, notifications --- */
#define LIMIT_ALERTS_PER_RULE  100000u     /* active alerts of one rule */
#define LIMIT_ABSENT_SERIES    20000u      /* label sets one belfry_absent_after rule watches */
#define LIMIT_BACKTEST_SPANS   200000u     /* alerts a backtest lists one by one */
#define LIMIT_TEMPLATE_BYTES   (1u << 20)  /* text of one template */
#define LIMIT_TEMPLATE_OUTPUT  (64u << 10) /* bytes a template may produce */
#define LIMIT_TEMPLATE_STEPS   100000u     /* nodes a template may execute */
#define LIMIT_TEMPLATE_DEPTH   100u        /* nesting of template actions and calls */
#define LIMIT_OUTBOX_ROWS      100000u     /* notifications not yet accepted */
#define LIMIT_OUTBOX_SHARE     500u        /* ... of one integration, when others fill the outbox */
#define LIMIT_THREADS          100000u     /* incidents about which a receiver keeps something */
#define LIMIT_THREAD_DATA      4096u       /* bytes of that */
#define LIMIT_OUTBOX_EXPIRY_MS 86400000    /* a notification is given up, loudly, after this */
#define LIMIT_ESCALATE         8u          /* steps of one receiver's escalation */
#define LIMIT_COALESCE_ENDS    1000        /* resolved alerts a newer message takes over */
#define LIMIT_RETRY_AFTER_MS   600000 /* Retry-After beyond this is not believed: a page waits */
#define LIMIT_MESSAGE_ALERTS   10u    /* alerts written out in one message, then "+K more" */
#define LIMIT_REPLY_BYTES      (1u << 20) /* what is kept of a receiver's answer */
#define LIMIT_SEND_TIMEOUT_MS  10000      /* total time of one delivery attempt */

/* --- dispatcher --- */
#define LIMIT_SILENCES        10000u /* kept; of those that are over, as many as there is room for */
#define LIMIT_SILENCE_BYTES   65536u    /* one silence: matchers, comment, annotations */
#define LIMIT_SILENCE_KEEP_MS 432000000 /* an expired silence is forgotten after this: 120 h */
#define LIMIT_EXTERNAL_ALERTS 100000u   /* firing alerts posted by others */
#define LIMIT_EXTERNAL_BYTES  ((size_t)256 << 20) /* ... labels and annotations of all of them */
#define LIMIT_ALERT_BYTES     (64u << 10)         /* labels and annotations of one posted alert */
#define LIMIT_POST_ALERTS     2000u   /* ... in one transaction: pages go out between them */
#define LIMIT_API_ALERTS      100000u /* alerts in one answer */
#define LIMIT_INTEGRATIONS    64u     /* ways to reach people of one receiver */
#define LIMIT_ALERT_ROUTES    4096u   /* nodes one alert may reach through `continue` */
#define LIMIT_INHIBIT_RULES   1000u   /* inhibit_rules of one configuration */
#define LIMIT_INHIBITED_BY    8u      /* sources an alert is shown with */
#define LIMIT_INTERVALS       1000u   /* time intervals of one list */
#define LIMIT_INTERVAL_RANGES 400u    /* ranges of one field of a time interval */

/* --- alertmanagers: --- */
#define LIMIT_PEERS        256u    /* Alertmanagers alerts are handed to */
#define LIMIT_PEER_ALERTS  200000u /* alerts that are told to them again and again */
#define LIMIT_PEER_QUEUE   131072u /* alerts waiting for one of them; the oldest go */
#define LIMIT_PEER_UPDATES 1024u   /* evaluations waiting for the peer thread */
#define LIMIT_PEER_BATCH   64u     /* alerts of one request, as Prometheus */

/* --- threads and queues --- */
#define LIMIT_STATE_QUEUE  65536u /* jobs waiting for the state writer */
#define LIMIT_RESOLVES     16u    /* names one http client looks up at once: a thread each */
#define LIMIT_CLIENT_QUEUE 4096u  /* transfers waiting for an http-client thread */
#define LIMIT_POOL_QUEUE   1024u  /* jobs waiting for a worker pool */
#define LIMIT_SELF_METRICS 4096u  /* cells of belfry's own metrics */

#endif
