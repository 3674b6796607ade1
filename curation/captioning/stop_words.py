"""Small words that tell a language, and how a text's letters and words are shared among scripts and languages. No model."""

import re
import unicodedata

_LISTS = {
    "en": """
        a an the and or but of to in on at by with from for as is are was were be been has have had it its he she they
        them his her their this that these those while into onto over under up down out off around behind through
        between who which there then near both one another some two three beside across along before after
    """,
    "de": """
        der die das den dem des ein eine einen einem einer und oder aber von zu im am auf mit aus für als ist sind war
        wird sich seinem seiner seine sein ihr ihre während hinter vor über unter durch nicht auch einige zwei es er sie
        in
    """,
    "fr": """
        le la les un une des du de et ou mais dans sur avec par pour en est sont était elle il ils elles son sa ses leur
        leurs qui que au aux se ne pas ce cette deux puis
    """,
    "es": """
        el la los las un una unos unas de del y o pero en con por para es son está están su sus que se lo al mientras
        desde hacia sobre dos no muy
    """,
    "it": """
        il lo la i gli le un uno una di del della dei e o ma in con su per è sono che si suo sua loro mentre da dal al
        alla nel nella due non
    """,
    "pt": """
        o a os as um uma de do da dos das e ou mas em no na nos nas com por para é são está que se seu sua enquanto ao à
        dois não
    """,
    "nl": """
        de het een en of maar van in op met uit voor als is zijn was wordt hij zij ze haar hun die dat terwijl naar door
        over onder achter bij twee er niet steeds
    """,
}

STOP_WORDS: dict[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in _LISTS.items()}
"""Frequent function words of languages written in Latin letters; our lists."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def latin_share(text: str) -> float:
    """Share of the letters that are Latin; 1 where there are none."""
    if text.isascii():
        return 1.0
    letters = [letter for letter in text if letter.isalpha()]
    return sum("LATIN" in unicodedata.name(letter, "") for letter in letters) / len(letters) if letters else 1.0


def stop_word_shares(text: str) -> dict[str, float]:
    """Language -> share of the words that are its small words."""
    found = [word.lower() for word in _WORD.findall(text)]
    return {name: sum(map(known.__contains__, found)) / max(1, len(found)) for name, known in STOP_WORDS.items()}
