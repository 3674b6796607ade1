"""What AudioSet's labels are about: speech, singing, music, silence, the place, or else a sound. Names as Google published them.

Taggers (AST, BEATs, PANNs) give the same labels in different orders, so they are told by name.
"""

from collections.abc import Mapping
from typing import Literal

Kind = Literal["speech", "singing", "music", "silence", "place", "sound"]

SPEECH = frozenset(
    {
        "Speech", "Male speech, man speaking", "Female speech, woman speaking", "Child speech, kid speaking",
        "Conversation", "Narration, monologue", "Speech synthesizer", "Whispering",
    }
)  # fmt: skip
"""Someone says words."""

SINGING = frozenset(
    {
        "Singing", "Choir", "Yodeling", "Chant", "Mantra", "Male singing", "Female singing", "Child singing",
        "Synthetic singing", "Rapping", "Humming", "Vocal music", "A capella", "Opera",
    }
)  # fmt: skip
"""Someone sings."""

MUSIC = frozenset(
    {
        "Music", "Musical instrument", "Plucked string instrument", "Guitar", "Electric guitar", "Bass guitar",
        "Acoustic guitar", "Steel guitar, slide guitar", "Tapping (guitar technique)", "Strum", "Banjo", "Sitar",
        "Mandolin", "Zither", "Ukulele", "Keyboard (musical)", "Piano", "Electric piano", "Organ", "Electronic organ",
        "Hammond organ", "Synthesizer", "Sampler", "Harpsichord", "Percussion", "Drum kit", "Drum machine", "Drum",
        "Snare drum", "Rimshot", "Drum roll", "Bass drum", "Timpani", "Tabla", "Cymbal", "Hi-hat", "Wood block",
        "Tambourine", "Rattle (instrument)", "Maraca", "Gong", "Tubular bells", "Mallet percussion",
        "Marimba, xylophone", "Glockenspiel", "Vibraphone", "Steelpan", "Orchestra", "Brass instrument", "French horn",
        "Trumpet", "Trombone", "Bowed string instrument", "String section", "Violin, fiddle", "Pizzicato", "Cello",
        "Double bass", "Wind instrument, woodwind instrument", "Flute", "Saxophone", "Clarinet", "Harp", "Harmonica",
        "Accordion", "Bagpipes", "Didgeridoo", "Shofar", "Theremin", "Singing bowl",
        "Scratching (performance technique)", "Pop music", "Hip hop music", "Beatboxing", "Rock music", "Heavy metal",
        "Punk rock", "Grunge", "Progressive rock", "Rock and roll", "Psychedelic rock", "Rhythm and blues",
        "Soul music", "Reggae", "Country", "Swing music", "Bluegrass", "Funk", "Folk music", "Middle Eastern music",
        "Jazz", "Disco", "Classical music", "Electronic music", "House music", "Techno", "Dubstep", "Drum and bass",
        "Electronica", "Electronic dance music", "Ambient music", "Trance music", "Music of Latin America",
        "Salsa music", "Flamenco", "Blues", "Music for children", "New-age music", "Music of Africa", "Afrobeat",
        "Christian music", "Gospel music", "Music of Asia", "Carnatic music", "Music of Bollywood", "Ska",
        "Traditional music", "Independent music", "Song", "Background music", "Theme music", "Jingle (music)",
        "Soundtrack music", "Lullaby", "Video game music", "Christmas music", "Dance music", "Wedding music",
        "Happy music", "Funny music", "Sad music", "Tender music", "Exciting music", "Angry music", "Scary music",
    }
)  # fmt: skip
"""Music, its instruments and kinds. Bells are left out though the ontology has them here: a bicycle's is no music (our decision)."""

PLACE = frozenset(
    {
        "Inside, small room", "Inside, large room or hall", "Inside, public space", "Outside, urban or manmade",
        "Outside, rural or natural", "Reverberation", "Echo", "Field recording", "Television", "Radio",
    }
)  # fmt: skip
"""Where and how it was recorded: no sound of its own (our decision)."""


def kind_of(label: str) -> Kind:
    """What a label is about; labels that are none of the others' are sounds."""
    groups: tuple[tuple[Kind, frozenset[str]], ...] = (
        ("speech", SPEECH), ("singing", SINGING), ("music", MUSIC), ("silence", frozenset({"Silence"})), ("place", PLACE),
    )  # fmt: skip
    return next((kind for kind, labels in groups if label in labels), "sound")


def strongest(tags: Mapping[str, float]) -> dict[Kind, float]:
    """Kind -> probability of its most probable label, for the kinds that the tagger has a label of."""
    found: dict[Kind, float] = {}
    for label, probability in tags.items():
        kind = kind_of(label)
        found[kind] = max(found.get(kind, 0.0), probability)
    return found
