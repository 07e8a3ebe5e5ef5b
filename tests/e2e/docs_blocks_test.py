"""The reader of documentation refuses what it should: a checker that lets everything pass would prove nothing."""

import pathlib
import tempfile
import unittest

from docs_blocks import PageError, blocks_of, output_matches
from docs_test import PageRun


class BlocksOfAPage(unittest.TestCase):
    def test_each_form_is_recognised_with_its_line_and_options(self):
        page = "# Title\n\n```sh run exit=78\nfalse\n```\n\n```toml file=a/b.toml\nx = 1\n```\n```text\nbox\n```\n"
        run, file, text = blocks_of(page)
        self.assertEqual((run.kind, run.line, run.options), ("run", 3, {"exit": "78"}))
        self.assertEqual((file.kind, file.options["path"], file.text), ("file", "a/b.toml", "x = 1\n"))
        self.assertEqual(text.kind, "text")

    def test_a_block_that_nothing_keeps_true_is_refused(self):
        for info in ("", "sh", "lua", "toml", "json", "sh run twice"):
            with self.subTest(info), self.assertRaises(PageError) as refused:
                blocks_of(f"one\n```{info}\nx\n```\n")
            self.assertEqual(refused.exception.line, 2)

    def test_a_fence_that_is_never_closed_is_refused(self):
        with self.assertRaises(PageError):
            blocks_of("```sh run\ntrue\n")

    def test_a_block_inside_a_list_loses_the_indentation_of_its_fence(self):
        (block,) = blocks_of("1. do\n\n   ```lua file=x.lua\n   if a then\n     b()\n   end\n   ```\n")
        self.assertEqual(block.text, "if a then\n  b()\nend\n")


class PromisedOutput(unittest.TestCase):
    def test_the_same_text_matches_and_another_does_not(self):
        self.assertTrue(output_matches("ready\n", "ready  \n\n"))
        self.assertFalse(output_matches("ready\n", "not ready\n"))
        self.assertFalse(output_matches("ready\n", "ready\nand more\n"))
        self.assertFalse(output_matches("a.c\n", "abc\n"))

    def test_an_ellipsis_stands_for_anything_within_its_line_only(self):
        self.assertTrue(output_matches("ready in … ms\n", "ready in 12 ms\n"))
        self.assertFalse(output_matches("ready in … ms\n", "ready in 12\n ms\n"))

    def test_an_ellipsis_alone_stands_for_any_number_of_lines(self):
        self.assertTrue(output_matches("first\n…\nlast\n", "first\nlast\n"))
        self.assertTrue(output_matches("first\n…\nlast\n", "first\n1\n2\nlast\n"))
        self.assertFalse(output_matches("first\n…\nlast\n", "first\n1\n"))


class APageAtWork(unittest.TestCase):
    def run_page(self, page):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "page.md"
            path.write_text(page, encoding="utf-8")
            PageRun(path, pathlib.Path(folder)).run()

    def test_a_folder_entered_in_one_block_is_where_the_next_one_runs(self):
        self.run_page("```sh run\nmkdir a\ncd a\n```\n```sh run\ntest ! -e a\ncd ..\n```\n```sh run\ntest -e a\n```\n")
        with self.assertRaises(PageError) as refused:
            self.run_page("```sh run\nmkdir a\ncd a\n```\n```sh run\ntest -e a\n```\n")
        self.assertEqual(refused.exception.line, 5)

    def test_a_folder_entered_in_a_subshell_or_before_a_failure_is_that_of_the_shell(self):
        self.run_page("```sh run\nmkdir a\n(cd a && true)\n```\n```sh run exit=3\ntest -e a\ncd a\nexit 3\n```\n"
                      "```sh run\ntest ! -e a\n```\n")


if __name__ == "__main__":
    unittest.main()
