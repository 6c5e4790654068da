/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML tree: kinds, places, aliases, merges, limits, and places inside scalars. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/yaml.h"
#include "tests/lib/suite.h"

static struct arena arena;
static struct diag *d;
static struct diag_file file;
static size_t n_docs;

static void setup(void)
{
	arena_init(&arena, LIMIT_CONFIG_BYTES);
	d = diag_new(&arena);
}

static void teardown(void)
{
	arena_fini(&arena);
}

/* The first document; NULL after an error or for an empty file. */
static const struct yaml_node *parse(struct str text)
{
	const struct yaml_node *const *docs;

	file.path = STR("f.yml");
	file.text = text;
	docs = yaml_parse(&arena, &file, d, &n_docs);
	ck_assert((docs == NULL) == (diag_errors(d) > 0));
	return n_docs > 0 ? docs[0] : NULL;
}

static void refused(struct str text, const char *message)
{
	char first[600];

	teardown();
	setup();
	ck_assert_ptr_null(parse(text));
	snprintf(first, sizeof first, "%.*s", (int)diag_first(d).n, diag_first(d).p);
	ck_assert_msg(strstr(first, message) != NULL, "wanted %s, got %s", message, first);
}

#define PLACE(node, l, c, n)                                                                       \
	do {                                                                                       \
		ck_assert_uint_eq((node)->pos.line, (l));                                          \
		ck_assert_uint_eq((node)->pos.col, (c));                                           \
		ck_assert_uint_eq((node)->pos.len, (n));                                           \
	} while (0)

START_TEST(a_document_becomes_a_tree_with_places)
{
	const struct yaml_node *m = parse(STR("a: 1\n"
					      "caf\xc3\xa9: [x, 'y z', \"\"]\n"
					      "b:\n"
					      "  c: ~\n"
					      "  d:\n"
					      "  e: !!str 12\n"));
	const struct yaml_node *seq, *b;

	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(m->kind, YAML_MAP);
	ck_assert_uint_eq(m->n, 3);
	PLACE(m->pairs[0].key, 1, 1, 1);
	PLACE(m->pairs[0].value, 1, 4, 1);
	seq = m->pairs[1].value;
	ck_assert_int_eq(seq->kind, YAML_SEQ);
	ck_assert_uint_eq(seq->n, 3);
	PLACE(seq->items[0], 2, 9, 1);
	PLACE(seq->items[1], 2, 12, 5);
	ck_assert(!seq->items[0]->quoted && seq->items[1]->quoted);
	ck_assert_int_eq(seq->items[2]->kind, YAML_SCALAR);
	b = yaml_get(m, STR("b"));
	ck_assert_int_eq(yaml_get(b, STR("c"))->kind, YAML_NULL);
	ck_assert_int_eq(yaml_get(b, STR("d"))->kind, YAML_NULL);
	ck_assert(yaml_get(b, STR("e"))->quoted);
	PLACE(yaml_get(b, STR("e")), 6, 12, 2);
	ck_assert_ptr_null(yaml_get(b, STR("x")));
	ck_assert_ptr_null(yaml_get(seq, STR("x")));
}
END_TEST

START_TEST(an_empty_file_has_no_documents_and_many_are_given_in_order)
{
	ck_assert_ptr_null(parse(STR("")));
	ck_assert_ptr_null(parse(STR("# only a comment\n")));
	parse(STR("a: 1\n---\nb: 2\n---\n- c\n"));
	ck_assert_uint_eq(n_docs, 3);
}
END_TEST

START_TEST(a_byte_order_mark_is_no_part_of_the_text)
{
	const struct yaml_node *m = parse(STR("\xef\xbb\xbf"
					      "a: 1\nb: {c: d}\n"));

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->n, 2);
	PLACE(m->pairs[1].key, 2, 1, 1);
	PLACE(yaml_get(yaml_get(m, STR("b")), STR("c")), 2, 8, 1);
	ck_assert_ptr_null(parse(STR("\xef\xbb\xbf")));
	refused(STR("\xef\xbb\xbf"
		    "a: 1\nb: \xff\n"),
		"f.yml:2:4: ");
}
END_TEST

START_TEST(an_alias_is_the_node_itself)
{
	const struct yaml_node *m = parse(STR("a: &x {k: v}\nb: *x\nc: &y 5\nd: *y\n"));

	ck_assert_ptr_nonnull(m);
	ck_assert_ptr_eq(yaml_get(m, STR("a")), yaml_get(m, STR("b")));
	ck_assert_ptr_eq(yaml_get(m, STR("c")), yaml_get(m, STR("d")));
	PLACE(yaml_get(m, STR("d")), 3, 7, 1);
}
END_TEST

START_TEST(merge_keys_fill_what_the_map_lacks)
{
	const struct yaml_node *m = parse(STR("a: &a {x: 1, y: 2}\n"
					      "b: &b {y: 3, z: 4}\n"
					      "c:\n"
					      "  <<: [*a, *b]\n"
					      "  x: 9\n"
					      "d: {<<: *b, '<<': text}\n"));
	const struct yaml_node *c = yaml_get(m, STR("c")), *dd = yaml_get(m, STR("d"));

	ck_assert_uint_eq(c->n, 3);
	ck_assert(str_eq(yaml_get(c, STR("x"))->scalar, STR("9")));
	ck_assert(str_eq(yaml_get(c, STR("y"))->scalar, STR("2")));
	ck_assert(str_eq(yaml_get(c, STR("z"))->scalar, STR("4")));
	ck_assert_uint_eq(dd->n, 3);
	refused(STR("a: {<<: 5}\n"), "\"<<\" merges maps");
}
END_TEST

START_TEST(what_is_wrong_is_told_with_its_place)
{
	refused(STR("a: 1\nb: 2\na: 3\n"), "f.yml:3:1: key \"a\" stands twice; first in line 1");
	refused(STR("a: [1, 2\nb: 3\n"), "f.yml:2:");
	refused(STR("a: 'x\n"), "f.yml:2:1: found unexpected end of stream while scanning a quoted "
				"scalar that started in line 1");
	refused(STR("a: b: c\n"), "f.yml:1:5: mapping values are not allowed in this context");
	refused(STR("\ta: 1\n"), "f.yml:1:1: ");
	refused(STR("a: *nope\n"), "f.yml:1:4: unknown alias \"nope\"");
	refused(STR("a: &x [*x]\n"), "f.yml:1:8: alias refers to a value that contains it");
	refused(STR("{[1]: 2}\n"), "f.yml:1:2: a key must be a word or a string");
	refused(STR("~: 2\n"), "f.yml:1:1: a key must be a word or a string");
	refused(STR("a: !python/object x\n"), "has no meaning here");
	refused(STR("a: \xff\n"), "f.yml:1:4: ");
	refused(STR("a: \x01\n"), "f.yml:1:4: ");
	refused(str_n("a: \0b\n", 6), "f.yml:1:4: ");
	refused(str_n("\xff\xfe"
		      "a\0:\0",
			6),
		"f.yml:1:1: ");
	/* all duplicates at once */
	refused(STR("a: 1\na: 2\nc: {d: 1, d: 2}\n"), "f.yml:2:1: ");
	ck_assert_uint_eq(diag_errors(d), 2);
}
END_TEST

static struct str repeated(const char *unit, size_t times, char *out, size_t cap)
{
	size_t n = strlen(unit);

	ck_assert(n * times <= cap);
	for (size_t i = 0; i < times; i++)
		memcpy(out + i * n, unit, n);
	return str_n(out, n * times);
}

START_TEST(depth_size_and_aliases_are_bounded)
{
	static char text[LIMIT_YAML_BYTES + 64];
	struct buf b;

	refused(repeated("[", 33, text, sizeof text), "nested too deeply");
	refused(repeated("[", 1000000, text, sizeof text), "nested too deeply");
	refused(repeated("- ", 100000, text, sizeof text), "nested too deeply");
	refused(repeated("{a: ", 100000, text, sizeof text), "nested too deeply");
	refused(repeated("#", LIMIT_YAML_BYTES + 1, text, sizeof text), "larger than 4 MiB");
	refused(repeated("- \n", 1300000, text, sizeof text), "too large");
	buf_init(&b, 1u << 20);
	buf_c(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 10; i++) {
		buf_printf(&b, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			buf_printf(&b, "*a%d,", i - 1);
		buf_c(&b, "]\n");
	}
	refused(buf_view(&b), "aliases expand to too many values");
	buf_reset(&b);
	buf_c(&b, "a: &a\n");
	for (int i = 0; i < 3000; i++)
		buf_printf(&b, "  k%d: 0\n", i);
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "b%d: {<<: *a}\n", i);
	refused(buf_view(&b), "too many merged keys");
	buf_fini(&b);
}
END_TEST

START_TEST(booleans_are_yaml_1_1_words)
{
	const struct yaml_node *m = parse(STR("[true, no, On, 'true', 1, maybe, ~]"));
	bool v = false;

	ck_assert(yaml_to_bool(m->items[0], &v) && v);
	ck_assert(yaml_to_bool(m->items[1], &v) && !v);
	ck_assert(yaml_to_bool(m->items[2], &v) && v);
	for (size_t i = 3; i < m->n; i++)
		ck_assert(!yaml_to_bool(m->items[i], &v));
}
END_TEST

/* Every @ in the content of k must be found where the @ stands in the file. */
static void finds_the_at_signs(struct str text)
{
	const struct yaml_node *m, *k;
	size_t from = 0;

	teardown();
	setup();
	m = parse(text);
	k = yaml_get(m, STR("k"));
	ck_assert_ptr_nonnull(k);
	for (size_t i = 0; i < k->scalar.n; i++) {
		struct diag_pos pos;
		size_t at, line = 1, col = 1;

		if (k->scalar.p[i] != '@')
			continue;
		at = from + str_find(str_sub(text, from, text.n), '@');
		for (size_t j = 0; j < at; j++) {
			col = text.p[j] == '\n' ? 1 : col + 1;
			line += text.p[j] == '\n';
		}
		from = at + 1;
		pos = yaml_scalar_pos(k, i, 3);
		ck_assert_msg(pos.line == line && pos.col == col,
			"in %.*s: byte %zu at %u:%u, wanted %zu:%zu", (int)text.n, text.p, i,
			pos.line, pos.col, line, col);
		ck_assert_uint_eq(pos.len, 3);
	}
	ck_assert_msg(from > 0, "no @ in the content");
	ck_assert_uint_eq(str_find(str_sub(text, from, text.n), '@'), text.n - from);
}

START_TEST(bytes_inside_scalars_are_found_in_every_style)
{
	finds_the_at_signs(STR("k: a@b @\n"));
	finds_the_at_signs(STR("k: caf\xc3\xa9 @\n"));
	finds_the_at_signs(STR("k: a @b\n   c@\n\n\n   @d  @\n"));
	finds_the_at_signs(STR("k: 'it''s @ '' @'\n"));
	finds_the_at_signs(STR("k: '@a\n   b@\n\n  ''@'\n"));
	finds_the_at_signs(STR("k: \"\\n@\\x41@\\u00e9 @\\U0001F600@ \\\" @\"\n"));
	finds_the_at_signs(STR("k: \"a @\\\n   b@\\\n   \\ c@\n\n  @\"\n"));
	finds_the_at_signs(STR("k: |\n  sum(@a)\n    by @ (x)\n\n  @ + @\n"));
	finds_the_at_signs(STR("k: |2-  # comment\n    @a\n   @\nj: 1\n"));
	finds_the_at_signs(STR("k: >-\n  sum(@a)\n  by @ (x)\n\n  @ +\n    @ more\n  @end\n"));
	finds_the_at_signs(STR("k: &anchor !!str |\n  a\n  @b\n"));
	finds_the_at_signs(STR("x: [1, 2]\nk: &a\n  b @c\n"));
	finds_the_at_signs(STR("k: |\r\n  a@\r\n  @b\r\n"));
}
END_TEST

START_TEST(the_end_of_a_scalar_has_a_place_too)
{
	const struct yaml_node *m = parse(STR("k: |\n  rate(x[5m]\nj: ''\ni:\n"));
	struct diag_pos pos = yaml_scalar_pos(yaml_get(m, STR("k")), 11, 1);

	ck_assert_uint_eq(pos.line, 2);
	ck_assert_uint_eq(pos.col, 13);
	pos = yaml_scalar_pos(yaml_get(m, STR("k")), 10, 1);
	ck_assert_uint_eq(pos.line, 2);
	ck_assert_uint_eq(pos.col, 13);
	pos = yaml_scalar_pos(yaml_get(m, STR("j")), 0, 1);
	ck_assert_uint_eq(pos.line, 3);
	pos = yaml_scalar_pos(yaml_get(m, STR("i")), 5, 1);
	ck_assert_uint_eq(pos.line, 4);
	pos = yaml_scalar_pos(m, 5, 1);
	ck_assert_uint_eq(pos.line, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("yaml");
	TCase *tc = tcase_create("yaml");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_document_becomes_a_tree_with_places);
	tcase_add_test(tc, an_empty_file_has_no_documents_and_many_are_given_in_order);
	tcase_add_test(tc, a_byte_order_mark_is_no_part_of_the_text);
	tcase_add_test(tc, an_alias_is_the_node_itself);
	tcase_add_test(tc, merge_keys_fill_what_the_map_lacks);
	tcase_add_test(tc, what_is_wrong_is_told_with_its_place);
	tcase_add_test(tc, depth_size_and_aliases_are_bounded);
	tcase_add_test(tc, booleans_are_yaml_1_1_words);
	tcase_add_test(tc, bytes_inside_scalars_are_found_in_every_style);
	tcase_add_test(tc, the_end_of_a_scalar_has_a_place_too);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
