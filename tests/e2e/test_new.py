#!/usr/bin/env -S python3 -B
"""`sippod new`: a suite to start from, which passes as it is."""
import harness
import suites
from harness import Case, for_each_user


@for_each_user
class New(Case):
    def new(self, *arguments):
        return self.start_command([self.program, "new", *arguments]).wait()

    def test_passes_as_it_is(self):
        made = self.new("my suite")
        self.assertExit(made, 0)
        self.assertIn("sippod run my suite", made.out)
        self.assertExit(self.sippod("my suite", "--keep", "all"), 0)
        test = self.result()
        self.assertEqual((test["name"], test["verdict"]), ("call", "pass"))
        self.assertIn("is going to call", (self.run_folder() / "sipplauncher.log").read_text())
        self.assertExit(self.sippod("my suite", "--tag", "smoke", "--dry-run"), 0)

    def test_is_not_mixed_with_what_is_there(self):
        (self.folder / "empty").mkdir()
        suites.write(self.folder / "full" / "mine.txt", "mine")
        suites.write(self.folder / "file", "mine")
        self.me.own(self.folder)
        self.assertExit(self.new("empty"), 0)
        self.assertTrue((self.folder / "empty" / "call" / "uac_ua1.xml").is_file())
        for place in ("full", "empty", "file", "file/below"):
            made = self.new(place)
            self.assertNotEqual(made.code, 0)
            self.assertIn(place, made.err)
        self.assertEqual([path.name for path in (self.folder / "full").iterdir()], ["mine.txt"])

    def test_usage(self):
        for arguments in ([], ["a", "b"], ["--force", "a"]):
            self.assertExit(self.new(*arguments), 2)
        self.assertFalse((self.folder / "a").exists())


if __name__ == "__main__":
    harness.main()
