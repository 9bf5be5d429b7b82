import json
import unittest

import numpy as np
from common import HARD, ROOT, SMALL, InFolder, safetensors, trm as command

import trm


class Solve(InFolder):
    @classmethod
    def setUpClass(cls):
        cls.model = trm.load()

    def test_answers_and_drafts_are_those_of_the_command_line(self):
        puzzles = [HARD, HARD[::-1]]
        (self.folder / "puzzles.txt").write_text("\n".join(puzzles) + "\n")
        for words, options in [([], {}), (["--one-pass"], {"search": False}),
                               (["--halt", "0.5"], {"halt": 0.5}), (["--steps", "3"], {"steps": 3}),
                               (["--halt", "0.9", "--search", "--rollouts", "3"],
                                {"halt": 0.9, "search": {"rollouts": 3}})]:
            if words == ["--steps", "3"]:
                words, options = [*words, "--rollouts", "2"], {**options, "search": {"rollouts": 2}}
            lines = command_lines("solve", "--file", "puzzles.txt", "--json", *words)
            results = self.model.solve(puzzles, **options)
            for line, result in zip(lines, results, strict=True):
                self.assertEqual(line["answer"], result.answer)
                self.assertEqual(line["verdict"], result.verdict)
                self.assertEqual(line["solved"], result.solved)
                told = [(s["chain"], s["step"], s["answer"], s["halt_probability"], s["changed"])
                        for s in line["steps"]]
                drafts = [(d.chain, d.step, d.answer, d.halt_probability, d.changed)
                          for d in result.drafts]
                self.assertEqual(told, drafts)
                if "rollouts" in line:
                    self.assertEqual((line["rollouts"], line["steps_of_all_chains"]),
                                     (result.chains, result.steps))

    def test_a_text_an_array_and_a_puzzle_are_the_same_question(self):
        text = self.model.solve(HARD)
        tokens = np.array([[1 if c == "." else int(c) + 1 for c in HARD]])
        self.assertEqual(self.model.solve(tokens[0]).answer, text.answer)
        self.assertEqual([r.answer for r in self.model.solve(tokens)], [text.answer])
        self.assertEqual([r.answer for r in self.model.solve([HARD, tokens[0]])], [text.answer] * 2)
        self.assertEqual(text.tokens.shape, (81,))
        self.assertEqual(text.question, HARD)
        self.assertEqual(self.model.solve([]), [])

    def test_drafts_come_while_it_thinks(self):
        thinking = self.model.think(HARD)
        drafts = [draft.answer for draft in thinking]
        self.assertEqual(drafts, [d.answer for d in self.model.solve(HARD).drafts])
        self.assertIn("<svg", thinking._repr_svg_())
        self.assertEqual(list(thinking), [])
        first = next(self.model.think(HARD))  # and the others are never asked for
        self.assertEqual((first.step, first.answer), (1, drafts[0]))

    def test_drawings_and_texts(self):
        result = self.model.solve(HARD)
        for drawn in [result, result.drafts[0]]:
            svg = drawn._repr_svg_()
            self.assertTrue(svg.startswith("<svg xmlns=") and svg.rstrip().endswith("</svg>"))
        self.assertIn("all 27 rows, columns and boxes right", repr(result))
        self.assertIn("┌", str(result))

    def test_steps_give_the_logits_of_the_command_line(self):
        data = trm.data.sudoku(out="data", size=9, train=5, test=6, seed=3)
        shipped = ROOT / "models" / "sudoku-extreme"
        for precision in ["f32", "bf16"]:
            command("eval", shipped, "--data", "data", "--steps", 3, "--precision", precision,
                    "--save-outputs", f"{precision}.safetensors")
            saved = safetensors(f"{precision}.safetensors")
            model = trm.load(shipped, precision=precision)
            state = None
            for _ in range(3):
                logits, halt, state = model.step(data.test.inputs, state)
            self.assertEqual(logits.tobytes(), saved["logits"].tobytes())
            self.assertEqual(halt.tobytes(), saved["q_halt_logits"].tobytes())
            table = trm.evaluate(model, data, steps=3, outputs=True)
            for name in ["logits", "preds", "q_halt_logits"]:
                self.assertEqual(table[name].tobytes(), saved[name].tobytes())

    def test_states_are_arrays(self):
        model = trm.load(precision="f32")
        logits, halt, (y, z) = model.step(HARD)
        config = model.config
        self.assertEqual(logits.shape, (1, config["seq_len"], config["vocab_size"]))
        self.assertEqual((halt.shape, y.shape, y.dtype), ((1,), z.shape, np.float32))
        with self.assertRaisesRegex(ValueError, "state: y has the shape"):
            model.step(HARD, (y[:, 1:], z))

    def test_weights_go_out_and_in(self):
        weights = self.model.state_dict()
        self.assertIn("net.0.own", weights)  # the public code has no such network
        again = trm.from_state_dict({k: Tensor(v) for k, v in weights.items()}, self.model.config)
        self.assertEqual(again.weight_digest, self.model.weight_digest)
        self.model.save("model")
        self.assertEqual(trm.load("model").weight_digest, self.model.weight_digest)


class Tensor:
    """Something that gives an array, as tensors of other libraries do."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


def command_lines(*words):
    try:
        printed = command(*words)
    except AssertionError:
        printed = command(*words, code=1)  # not solved
    return [json.loads(line) for line in printed.splitlines()]


class Refused(unittest.TestCase):
    def test_mistakes_are_exceptions_with_the_words_of_the_command_line(self):
        model = trm.load()
        for raised, words, call in [
            (FileNotFoundError, "no such file or folder", lambda: trm.load("nowhere")),
            (ValueError, "the puzzle: found 3 cells", lambda: model.solve("1.2")),
            (ValueError, "puzzle 1: found 16 cells", lambda: model.solve([HARD, SMALL])),
            (ValueError, "steps and batch must be at least 1", lambda: model.solve(HARD, steps=0)),
            (ValueError, "must be a probability above 0", lambda: model.solve(HARD, halt=2)),
            (ValueError, "must be a probability above 0", lambda: model.solve(HARD, halt=2, search=True)),
            (ValueError, "rollouts must be at least 1", lambda: model.solve(HARD, search={"rollouts": 0})),
            (ValueError, "samples is for autoregressive", lambda: model.solve(HARD, samples=3)),
            (ValueError, "steps = -1", lambda: model.solve(HARD, steps=-1)),
            (TypeError, "unknown keyword `step`", lambda: model.solve(HARD, step=3)),
            (TypeError, "unknown keyword `rollout`", lambda: model.solve(HARD, search={"rollout": 0})),
            (TypeError, "steps = 'a'", lambda: model.solve(HARD, steps="a")),
            (TypeError, "a puzzle is a text", lambda: model.solve(3)),
            (TypeError, "array of integers", lambda: model.solve(np.zeros(81))),
            (ValueError, "0 to 255", lambda: model.solve(np.full(81, 300))),
            (ValueError, "token 20", lambda: model.solve(np.full(81, 20))),
            (ValueError, "precision = `f16`", lambda: trm.load(precision="f16")),
            (ValueError, "is missing", lambda: trm.from_state_dict({}, model.config)),
            (ValueError, "no puzzle to take a step for", lambda: model.step(np.zeros((0, 81), np.uint8))),
        ]:
            with self.subTest(words), self.assertRaisesRegex(raised, words):
                call()

    def test_the_import_takes_no_array_library_along(self):
        import subprocess
        import sys

        code = "import sys, trm; print('numpy' in sys.modules, 'torch' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.split(), ["False", "False"])


class Referee(unittest.TestCase):
    def test_a_function_judges(self):
        model, asked = trm.load(), []

        def referee(question, answer):
            asked.append((question, answer))
            return {"verdict": "wrong", "broken": [[0, 1]], "why": "on principle"}

        result = model.solve(HARD, referee=referee, steps=2, search={"rollouts": 1})
        self.assertEqual((result.solved, result.verdict), (False, "wrong by the referee: on principle"))
        self.assertEqual(asked[0][0][0], HARD[:9])
        self.assertEqual(model.solve(HARD, referee=lambda q, a: True).steps, 1)
        self.assertIsNone(model.solve(HARD, referee=lambda q, a: None, steps=1,
                                      search={"rollouts": 1}).solved)
        costly = model.solve(HARD, referee=lambda q, a: {"verdict": "right", "cost": 2.5}, steps=2,
                             search={"rollouts": 2})
        self.assertEqual(costly.cost, 2.5)

    def test_what_it_raises_is_raised(self):
        def referee(question, answer):
            raise LookupError("no opinion")

        model = trm.load()
        with self.assertRaisesRegex(LookupError, "no opinion"):
            model.solve(HARD, referee=referee)
        with self.assertRaisesRegex(LookupError, "no opinion"):
            list(model.think(HARD, referee=referee))
        with self.assertRaisesRegex(RuntimeError, "unknown variant `good`"):
            model.solve(HARD, referee=lambda q, a: "good")


if __name__ == "__main__":
    unittest.main()
