/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route - which handler a path and a method name. Exact paths go before one with an inner "*" (one
 * segment, percent-decoded after matching, so that an encoded slash stays in it), and that goes
 * before a trailing "*" (the whole rest), of which the longest goes first. Of rows for one path the
 * first that has the method answers.
 */
#include "agent/http/internal.h"

enum rank { NO_MATCH, MATCH_REST, MATCH_SEGMENT, MATCH_EXACT };

static enum rank match(const struct http_route *route, struct http_req *r, struct str *segment)
{
	struct str pattern = str_c(route->path), rest, raw = r->head.path;
	size_t star = str_find(pattern, '*'), slash;
	struct str prefix = str_sub(pattern, 0, star);
	struct str suffix = str_sub(pattern, star + 1, pattern.n);

	if (star == pattern.n)
		return str_eq(r->path, pattern) ? MATCH_EXACT : NO_MATCH;
	if (suffix.n == 0) {
		if (!str_starts(r->path, prefix))
			return NO_MATCH;
		*segment = str_sub(r->path, prefix.n, r->path.n);
		return MATCH_REST;
	}
	if (!str_starts(raw, prefix))
		return NO_MATCH;
	rest = str_sub(raw, prefix.n, raw.n);
	slash = str_find(rest, '/');
	if (slash == 0 || !str_eq(str_sub(rest, slash, rest.n), suffix))
		return NO_MATCH;
	*segment = http_decode(&r->arena, str_sub(rest, 0, slash), false, true);
	return segment->p != NULL ? MATCH_SEGMENT : NO_MATCH;
}

void http_route_find(const struct http_server *s, struct http_req *r, unsigned *methods)
{
	unsigned want = r->head.method == HTTP_HEAD ? HTTP_GET : r->head.method;
	enum rank best = NO_MATCH;
	size_t best_len = 0;

	*methods = 0;
	for (size_t i = 0; i < s->n_routes; i++) {
		const struct http_route *route = &s->routes[i];
		struct str segment = STR("");
		enum rank rank = match(route, r, &segment);
		size_t len = rank == MATCH_REST ? strlen(route->path) : 0;

		if (rank == NO_MATCH || rank < best || (rank == best && len < best_len))
			continue;
		if (rank == MATCH_REST && (route->methods & want) == 0)
			continue; /* 404, not 405: the rest is no place of its own */
		if (rank == MATCH_REST && best == MATCH_REST && r->route != NULL &&
			strlen(route->path) < strlen(r->route->path))
			continue; /* "/l/" before "/" */
		if (rank > best || len > best_len) {
			r->route = NULL;
			*methods = 0;
		}
		best = rank;
		best_len = len;
		*methods |= route->methods;
		if ((route->methods & want) == 0 || r->route != NULL)
			continue;
		r->route = route;
		r->route_index = i;
		r->segment = segment;
	}
}
