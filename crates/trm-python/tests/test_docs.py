"""What documents show is run."""

import contextlib
import io
import json
import re
import shutil
import unittest

from common import ROOT, InFolder


def blocks(path):
    """The Python of a document."""
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def cells(path):
    """The code of a notebook."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


class Documents(InFolder):
    def run_all(self, codes, path):
        self.assertTrue(codes, path)
        names = {"__name__": "__main__"}
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            for code in codes:
                exec(compile(code, str(path), "exec"), names)  # noqa: S102: our own documents
        return said.getvalue()

    def test_readme(self):
        shutil.copytree(ROOT / "models", "models")
        said = self.run_all(blocks(ROOT / "README.md"), ROOT / "README.md")
        self.assertIn("all 27 rows, columns and boxes right", said)

    def test_python(self):
        self.run_all(blocks(ROOT / "docs" / "PYTHON.md"), ROOT / "docs" / "PYTHON.md")

    def test_notebook(self):
        path = ROOT / "examples" / "python" / "sudoku4.ipynb"
        self.run_all(cells(path), path)
        # what it shows is the same on every machine
        self.assertNotRegex(path.read_text(encoding="utf-8"), r"/(tmp|home|root|Users)/")


if __name__ == "__main__":
    unittest.main()
