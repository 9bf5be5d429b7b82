import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import unittest

from common import RECIPE, InFolder, trm as command

import trm


class Data(InFolder):
    def test_data_are_those_of_the_command_line(self):
        for kind, words, options in [
            ("sudoku", "--size 4 --givens 4-8", {"size": 4, "givens": "4-8"}),
            ("maze", "--size 7 --path 8", {"size": 7, "path": 8}),
        ]:
            command("data", kind, *words.split(), "--train", 30, "--test", 10, "--seed", 2, "--out", f"{kind}-1")
            made = getattr(trm.data, kind)(out=f"{kind}-2", train=30, test=10, seed=2, **options)
            read = trm.load_data(f"{kind}-1")
            self.assertEqual(made.train.digest, read.train.digest)
            self.assertEqual(made.test.digest, read.test.digest)

    def test_splits_are_arrays_and_puzzles(self):
        data = trm.data.sudoku(size=4, train=9, test=3, seed=1)
        train = data.train
        self.assertEqual((train.inputs.shape, train.labels.shape), ((9, 16), (9, 16)))
        self.assertEqual((len(train), train.domain, train.vocab_size), (9, "sudoku4", 6))
        self.assertEqual(train[-1].question, train[8].question)
        self.assertEqual([p.answer for p in train[2:4]], [train[2].answer, train[3].answer])
        self.assertTrue(train[0]._repr_svg_().startswith("<svg"))
        self.assertIsNone(data.folder)
        with self.assertRaises(IndexError):
            train[9]

    def test_grids_of_files(self):
        pathlib.Path("own.jsonl").write_text(
            "".join(json.dumps({"input": f"{a}{b}", "output": f"{b}{a}"}) + "\n"
                    for a in "abcdef" for b in "ghijkl"))
        data = trm.data.grid(train="own.jsonl", split=6)
        self.assertEqual((len(data.train), len(data.test)), (30, 6))

    def test_refusals(self):
        for raised, words, call in [
            (ValueError, "size 5: Sudoku comes in sizes 4, 6 and 9", lambda: trm.data.sudoku(size=5)),
            (ValueError, "must be at least 1", lambda: trm.data.sudoku(train=0)),
            (ValueError, "write `minimal`", lambda: trm.data.sudoku(givens="few")),
            (FileNotFoundError, "no such file", lambda: trm.data.grid(train="nowhere.csv")),
            (FileNotFoundError, "", lambda: trm.load_data("nowhere")),
            (TypeError, "unknown keyword `sizes`", lambda: trm.data.sudoku(sizes=4)),
        ]:
            with self.subTest(words), self.assertRaisesRegex(raised, words):
                call()

    def test_words_of_studies(self):
        data = trm.data._make("sudoku --size 4 --train 5 --test=2 --givens 4-8".split(), "made")
        self.assertEqual((len(data.train), str(data.folder)), (5, "made"))
        with self.assertRaisesRegex(ValueError, "unknown kind"):
            trm.data._make(["chess"], "more")
        with open("own.csv", "w") as file:
            file.write("input,output\n" + "".join(f"{i:03b},{i:03b}\n" for i in range(8)))
        words = "grid --train own.csv --split 2 --alphabet 01 --permute 01".split()
        self.assertEqual(len(trm.data._make(words, "own").test), 2)


class Train(InFolder):
    def setUp(self):
        super().setUp()
        self.data = trm.data.sudoku(out="data", size=4, train=100, test=20, givens="6-10", seed=1)

    def test_a_training_is_that_of_the_command_line(self):
        steps, validations = [], []
        run = trm.train(RECIPE, data="data", out="one", on_step=steps.append,
                        on_validation=validations.append)
        command("train", "one/recipe.toml", "--out", "two")
        model = run.model()
        self.assertEqual(model.weight_digest, trm.load("two").weight_digest)
        self.assertEqual([step["step"] for step in steps], list(range(1, 13)))
        self.assertEqual([told["step"] for told in validations], [6, 12])
        self.assertEqual((run.ending, run.step), ("finished", 12))
        self.assertEqual(len([line for line in run.history() if line["kind"] == "step"]), 12)
        self.assertTrue((run.folder / "report.html").exists())
        self.assertTrue(run._repr_svg_().startswith("<svg"))
        mine = trm.evaluate(model, self.data)
        theirs = json.loads(command("eval", "one", "--data", "data", "--json"))
        for key in ["puzzles", "exact_accuracy", "interval_95", "calibration_error"]:
            self.assertEqual(mine[key], theirs[key])
        self.assertEqual(mine["evaluation"]["steps"], theirs["evaluation"]["steps"])
        public = model.state_dict()
        self.assertIn("model.inner.lm_head.weight", public)
        self.assertEqual(trm.from_state_dict(public, model.config).weight_digest, model.weight_digest)

    def test_a_command_that_judges_is_kept_with_the_run(self):
        says = ["sh", "-c", "while read -r line; do echo '{\"verdict\":\"right\"}'; done"]
        trm.train(RECIPE, data="data", out="judged", referee=says)
        with open("judged/recipe.toml") as file:
            self.assertIn("referee = [", file.read())

    def test_an_exception_of_a_callback_ends_the_run_with_a_checkpoint(self):
        def on_step(metrics):
            if metrics["step"] == 5:
                raise LookupError("enough")

        with self.assertRaisesRegex(LookupError, "enough"):
            trm.train(RECIPE, data="data", out="run", on_step=on_step)
        self.assertEqual(trm.train(resume="run").step, 12)
        trm.train(RECIPE, data="data", out="whole")
        self.assertEqual(trm.load("run").weight_digest, trm.load("whole").weight_digest)

    @unittest.skipIf(os.name == "nt", "no such signal")
    def test_control_c_writes_a_checkpoint(self):
        code = """
            import sys, trm
            try:
                trm.train("recipe.toml", out="run", set={"train.steps": 1000000},
                          on_step=lambda metrics: print(metrics["step"], flush=True))
            except KeyboardInterrupt as stopped:
                print(stopped, file=sys.stderr)
                sys.exit(130)
        """
        trm.train(RECIPE, data="data", out="first")
        pathlib.Path("first/recipe.toml").rename("recipe.toml")

        def heed():  # what was started in the background of a shell ignores it
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], preexec_fn=heed,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while child.stdout.readline().strip() != "3":
            self.assertIsNone(child.poll())
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130, said)
        self.assertIn('go on with trm.train(resume="run")', said)
        step = int(said.split("step ")[1].split(":")[0])
        self.assertGreaterEqual(step, 3)
        run = trm.train(resume="run", set=[f"train.steps={step + 2}"])
        self.assertEqual(run.step, step + 2)

    def test_the_lock_is_free_while_it_trains(self):
        counted, done = [0], threading.Event()

        def count():
            while not done.is_set():
                counted[0] += 1

        thread = threading.Thread(target=count)
        thread.start()
        trm.train(RECIPE, data="data", out="run", set=["train.steps=60"])
        done.set()
        thread.join()
        self.assertGreater(counted[0], 1000)

    def test_refusals(self):
        for raised, words, call in [
            (FileNotFoundError, "no data set at nowhere", lambda: trm.train(RECIPE, data="nowhere")),
            (ValueError, "names no data set", lambda: trm.train(RECIPE)),
            (ValueError, "unknown key model.hiden",
             lambda: trm.train({"model": {"hiden": 3}}, data="data")),
            (ValueError, "train.batch = 0", lambda: trm.train(RECIPE, data="data", set=["batch=0"])),
            (FileNotFoundError, "no such file", lambda: trm.train("nowhere.toml")),
            (FileNotFoundError, "no such file", lambda: trm.train(resume="nowhere")),
            (ValueError, "not both", lambda: trm.train(RECIPE, resume="run")),
            (ValueError, "not in a folder",
             lambda: trm.train(RECIPE, data=trm.data.sudoku(size=4, train=5, test=2))),
            (TypeError, "a recipe is a file or a table", lambda: trm.train(3)),
        ]:
            with self.subTest(words), self.assertRaisesRegex(raised, words):
                call()


STUDY = """
title = "tiny"
make_data = "sudoku --size 4 --train 40 --test 10 --givens 6-10 --seed 1"
seeds = [1]
training_flops = 1e8
test = 10
steps = 2
answers = 1
temperature = 0.7

[train]
batch = 8

[[contender]]
name = "mixer"
[contender.model]
hidden = 32
inner_multiple = 32
cycles = 1
recursions = 1
supervision_steps = 2
prefix_len = 0
puzzle_embedding = 0
"""


class Compare(InFolder):
    def test_a_study_makes_its_data_and_tells_what_it_finds(self):
        pathlib.Path("study.toml").write_text(STUDY)
        news = []
        found = trm.compare("study.toml", out="out", on_news=news.append)
        self.assertEqual((found["title"], found["contenders"][0]["name"]), ("tiny", "mixer"))
        self.assertTrue(any("mixer" in text for text in news))
        self.assertTrue(pathlib.Path("out/study.html").exists())
        written = json.loads(pathlib.Path("out/study.json").read_text())
        self.assertEqual(written["contenders"], found["contenders"])


if __name__ == "__main__":
    unittest.main()
