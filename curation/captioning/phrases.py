"""How models begin, refuse, offer and slip, as patterns; read by the cleaner. Our lists, from what such models write.

Each is a regular expression, case ignored.
"""

import re
from dataclasses import dataclass


def _any(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(parts), re.I)


@dataclass(frozen=True)
class Phrases:
    """A pattern that is looked for only in texts that have one of the strings without which it matches nowhere.

    A caption has 600 letters and nearly always none of these: a million captions are cleaned in a third of the time.
    """

    pattern: re.Pattern[str]
    needs: tuple[str, ...]
    """In small letters."""

    def search(self, text: str) -> re.Match[str] | None:
        """The first match, as the pattern's own `search` gives it."""
        if text.isascii():  # elsewhere a letter may match one that is not its small letter
            small = text.lower()
            if not any(need in small for need in self.needs):
                return None
        return self.pattern.search(text)


def _rare(*parts: str, needs: str) -> Phrases:
    return Phrases(_any(*parts), tuple(needs.split("|")))


VIDEO = r"(?:video(?: clip| sequence| footage)?|clip|footage|scene|sequence|film|shot)"
IMAGE = r"(?:image|photo|photograph|picture|frame|frames|images|screenshot|still)"
SEEN = rf"(?:{VIDEO}|{IMAGE})"
SHOWS = (
    r"(?:shows?|depicts?|captures?|features?|presents|displays|portrays|illustrates|showcases|contains|focuses on|"
    r"(?:begins|starts|opens)(?: with| by showing)|is (?:of|about|showing))"
)

OPENERS = (
    re.compile(
        rf"^in (?:the|this) (?:short )?{SEEN}\s*,?\s*"
        r"(?:we (?:can )?see\s+|you can see\s+|there (?:is|are)\s+)?(?:that )?",
        re.I,
    ),
    re.compile(rf"^(?:the|this|these) (?:short |provided |given )?{SEEN}\s+{SHOWS}\s+(?:us )?(?:that )?", re.I),
    re.compile(rf"^(?:this|it) is an? (?:short |close-up )?{SEEN} (?:of|showing|that shows|depicting)\s+", re.I),
    re.compile(rf"^an? {SEEN} (?:of|showing|that shows|depicting)\s+", re.I),
    re.compile(r"^(?:we|you|the viewer) (?:can )?sees?\s+", re.I),
)
"""What a caption must not begin with: taken off."""

PREAMBLE = _any(
    r"^(?:(?:sure|certainly|of course|absolutely|okay|ok)\b[^:.!]{0,60}[.!,:]\s*)?"
    r"(?:(?:here is|here's|here are|below is|the following is)\b[^:]{0,80}:\s*)"
)

LABEL = _any(r"^(?:(?:video |image |detailed )?(?:caption|description|answer|output|summary))\s*:\s*")

OFFER = _any(
    r"^(?:please )?(?:let me know|feel free to|i hope this|would you like|do you want me|is there anything)",
    r"^if you (?:need|would like|have)\b.*(?:let me|i can|ask)",
    r"^please note\b",
)
"""A sentence to the reader: dropped."""

ABOUT_THE_IMAGE = _any(
    rf"^(?:the |this )?(?:overall,? )?(?:the )?(?:overall )?{IMAGE}(?:'s)? "
    r"(?:is|has|conveys|appears|seems|evokes|suggests|exudes|quality)\b(?!.*\bcollage\b)"
)
"""A sentence about the picture instead of what is in it: dropped where others are left."""

MARKUP = _rare(
    r"<\|[^|>]*\|?>?", r"</?s>", r"\[/?inst\]", r"https?://\S*", r"\bwww\.\S+", r"^\s*[{\[]\s*\"", r"\"\s*:\s*\"", r"```",
    r"\b(?:user|assistant|system|human)\s*:", r"<(?:image|video|pad|eos|unk)>", r"\[(?:insert|your)\b[^\]]*\]",
    needs="<|[|{|http|www.|:|`",
)  # fmt: skip

ECHO = _any(
    r"^(?:please )?(?:describe|write|provide|generate|give) (?:this|the|an?)\b[^.]{0,40}"
    r"\b(?:video|clip|caption|description|frames)\b"
)

_CANNOT = (
    r"(?:can['’]?t|cannot|can not|could not|couldn['’]t|won['’]t|will not|am unable|(?:am|will|would) not(?: be)? able|"
    r"don['’]t have|do not have)"
)

REFUSAL = _rare(
    rf"\bI(?: am|['’]m)? {_CANNOT}\b",
    r"\bI(?: am|['’]m) (?:unable|not able|sorry|afraid)\b",
    r"\bI (?:apologi[sz]e|must decline)\b",
    r"^(?:sorry|my apologies|apologies|unfortunately)\b",
    r"\bas an? (?:AI|artificial|large language|language model)\b",
    r"\bAI (?:language )?(?:model|assistant)\b",
    r"\bnot possible (?:for me )?to (?:describe|determine|view|see|provide)\b",
    rf"\bno (?:{SEEN}|file)s? (?:was|were|is|has been|have been) (?:provided|attached|uploaded|given|included|available)\b",
    r"\b(?:please|could you|can you) (?:please )?(?:provide|upload|attach|share|send|resend)\b",
    rf"\b(?:the|this) (?:{SEEN}|content)s? (?:cannot|can['’]t|could not|couldn['’]t) be "
    r"(?:described|loaded|viewed|displayed|processed|analy[sz]ed)\b",
    r"\bcontent (?:policy|policies|guidelines)\b",
    needs="i |i'm|sorry|apologies|unfortunately| ai|artificial|language|model|assistant|possible|provided|attached|uploaded|given|included"
    "|available|please|could you|can you|described|loaded|viewed|displayed|processed|analy|polic|guideline",
)

MEDIUM = _rare(
    r"\b(?:the|this) (?:image|photo|photograph|screenshot) "
    r"(?:is|was|shows|depicts|captures|features|has|contains|appears|seems)\b",
    r"\b(?:in|of|throughout|across) (?:the|this) (?:image|photo|photograph|screenshot)\b",
    r"\b(?:the|this|these) (?:images|photos|frames|screenshots)\b",
    r"\bcollage of\b",
    needs="image|photo|screenshot|frames|collage",
)
"""A video called an image."""

PICTURE_IN_SCENE = _any(
    r"\b(?:an?|his|her|their|my|old|framed|family|some|two|three|several|takes?|taking|took) (?:[\w-]+ )?"
    r"(?:image|photo|photograph|picture|screenshot)s?\b(?! of\b.*\b(?:arranged|grid)\b)"
)
"""A picture that is a thing in the scene."""
