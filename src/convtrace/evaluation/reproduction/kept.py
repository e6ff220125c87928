"""Results kept by content, so that what was run once is not run again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from convtrace.batch import replacing
from convtrace.evaluation.experiments import Result

__all__ = ["KeptResults"]


@dataclass(frozen=True, slots=True)
class KeptResults:
    """A folder of results.

    Attributes
    ----------
    folder : Path
        Made when it is needed.
    """

    folder: Path

    def find(self, key: str) -> tuple[Result, float, list[str]] | None:
        """Return a result that was kept.

        Parameters
        ----------
        key : str
            As of `convtrace.evaluation.reproduction.fingerprints.result_key`.

        Returns
        -------
        (result, seconds, errors) or None
            None where there is none, or what is there cannot be read.
        """
        try:
            state = json.loads(self._path(key).read_text(encoding="utf-8"))
            return (
                Result.from_dict(state["result"]),
                float(state["seconds"]),
                list(map(str, state["errors"])),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, key: str, result: Result, seconds: float, errors: list[str]) -> Result:
        """Keep a result.

        Parameters
        ----------
        key : str
            What to find it by.
        result : Result
            The result.
        seconds : float
            How long it took.
        errors : list of str
            Pictures that were left out.

        Returns
        -------
        Result
            As it will be found the next time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"result": result.to_dict(), "seconds": seconds, "errors": errors})
        with replacing(self._path(key)) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return Result.from_dict(json.loads(text)["result"])

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"
