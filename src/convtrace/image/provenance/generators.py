"""What programs that generate images write beside them.

Stable Diffusion's web interfaces (AUTOMATIC1111, Forge, SD.Next, Fooocus, SwarmUI) write their
settings as one text ``parameters``, in PNG as a chunk and elsewhere as the EXIF user comment;
ComfyUI writes the graph as JSON under ``prompt`` and ``workflow``, or in EXIF behind these words;
InvokeAI and NovelAI have keywords of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from convtrace.image.provenance.record import Statement, fit_to_read

__all__ = ["judged", "of_text"]

_MOST_JSON = 1 << 20

_KEYWORDS: Final = {
    "parameters": "Stable Diffusion web interface",
    "fooocus_scheme": "Fooocus",
    "sui_image_params": "SwarmUI",
    "invokeai_metadata": "InvokeAI",
    "invokeai_graph": "InvokeAI",
    "invokeai_workflow": "InvokeAI",
    "sd-metadata": "InvokeAI",
    "dream": "InvokeAI",
    "dreamtime": "DreamStudio",
}
"""Keywords of PNG texts that no other programs are known to write."""

_KINDS: Final = {
    **dict.fromkeys(("software", "creation tool", "exif:software"), "software"),
    **dict.fromkeys(("creation time", "date:create", "exif:datetimeoriginal"), "time"),
    # ImageMagick repeats EXIF as texts.
    **dict.fromkeys(("exif:make", "exif:model", "exif:lensmodel"), "camera"),
}

# Whole words, in fields that name a program; fields that name people must be clearer.
_PROGRAMS: Final = re.compile(
    r"""\b(?:stable\ ?diffusion|sdxl|automatic1111|comfyui|invokeai|novelai|fooocus|swarmui
    |midjourney|dall[\W_]?e|openai|gpt-4o|chatgpt|sora|adobe[\ _]firefly|imagen|gemini
    |made\ with\ google\ ai|bing\ image\ creator|microsoft\ designer|leonardo\.ai|ideogram
    |dreamstudio|stability\.?\ ?ai|draw\ things|diffusionbee|black\ forest\ labs|flux\.?1|recraft
    |grok|xai|nano\ banana|seedream|qwen-image|hunyuan|craiyon|artbreeder|stylegan\d?)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_CREDITS: Final = re.compile(
    r"\b(?:stable ?diffusion|midjourney|dall[\W_]e|openai|adobe firefly|made with google ai"
    r"|novelai|ai[ -]generated(?: image)?|generated (?:by|with) ai)\b",
    re.IGNORECASE,
)
_SETTINGS: Final = re.compile(r"\bSteps: \d+, Sampler: |\bSteps: \d+,.{0,400}\bCFG scale: ", re.S)
_JOB: Final = re.compile(r"\bJob ID: [0-9a-f]{8}-[0-9a-f]{4}-")
_TOOLS: Final = frozenset(
    (
        *("Software", "ProcessingSoftware", "xmp:CreatorTool", "tiff:Software", "Generator"),
        "exif:Software",
        *("Originating program", "claim generator", "Creation Tool"),
    )
)
_PEOPLE: Final = frozenset(
    (
        *("photoshop:Credit", "photoshop:Source", "Credit", "Source", "Artist", "dc:creator"),
        *("Title", "By-line", "Author", "Copyright", "dc:title", "Description"),
    )
)


def of_text(name: str, value: str) -> Statement:
    """Say what a text of a PNG says, as stored.

    Parameters
    ----------
    name : str
        Its keyword.
    value : str
        Its text.

    Returns
    -------
    Statement
        Of kind ``"generator"`` where a program that generates images has written it.

    Examples
    --------
    >>> of_text("parameters", "a cat, Steps: 20, Sampler: Euler").kind
    'generator'
    """
    shown = Statement("PNG text", fit_to_read(name, most=80), fit_to_read(value))
    program = _KEYWORDS.get(name.lower()) or _of_json(name, value)
    if program is None:
        shown = replace(shown, kind=_KINDS.get(name.lower(), "other"))
        return judged(shown)
    return replace(shown, kind="generator", value=f"[{program}] {shown.value}")


def judged(found: Statement) -> Statement:
    """Mark a statement that names, or is of the form of, a program that generates images.

    Parameters
    ----------
    found : Statement
        From any source.

    Returns
    -------
    Statement
        The same, or of kind ``"generator"``, the program in square brackets.
    """
    if found.kind in ("generator", "damage"):
        return found
    program = _program(found)
    if program is None:
        return found
    told = f"[{program}] " if program else ""
    return replace(found, kind="generator", value=told + found.value)


def _program(found: Statement) -> str | None:
    """Return the program; empty where the value names it itself, None where there is none."""
    if _SETTINGS.search(found.value):
        return "Stable Diffusion web interface"
    if _JOB.search(found.value):
        return "Midjourney"
    for word in ("workflow:", "prompt:"):
        if found.value.startswith(word + "{"):
            return "ComfyUI"
    if found.name.endswith("UserComment"):
        return _of_json("", found.value)
    name = found.name.rpartition("/")[2]
    if name in _TOOLS or name.endswith("softwareAgent"):
        return "" if _PROGRAMS.search(found.value) else None
    return "" if name in _PEOPLE and _CREDITS.search(found.value) else None


def _of_json(name: str, value: str) -> str | None:
    if not value.lstrip().startswith("{") or len(value) > _MOST_JSON:
        return None
    try:
        # Numbers are not converted: one of a million digits would take minutes.
        state: Any = json.loads(value, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return next(_programs_of(name, state), None)


def _programs_of(name: str, state: dict[str, Any]) -> Iterator[str]:
    nodes = [node for node in state.values() if isinstance(node, dict)]
    is_graph = any("class_type" in node for node in nodes)
    if is_graph or (name == "workflow" and "nodes" in state and "links" in state):
        yield "ComfyUI"
    if "sui_image_params" in state:
        yield "SwarmUI"
    keys = {str(key).lower() for key in state}
    if "sampler" in keys and "steps" in keys:
        yield "NovelAI or alike" if name == "Comment" else "a diffusion model"
