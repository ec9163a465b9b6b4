"""Bodies of pages: text of a few sites, cut into pieces once and put together anew for every fetch.

Each theme is a site's house style: its markup, its words (of Zipf's law), Latin or Cyrillic. A fetch takes
some of the theme's pieces in an order of its own and adds a nonce, so that gzip finds about what it finds
in real pages: a page compresses about fourfold, and two fetches of one site are alike and not the same.
"""

import base64
import random
from functools import lru_cache
from itertools import accumulate

from corpora.encoding import Style, encode_text

THEMES = 24
PIECES = 48
WORDS = 6000
MAX_PIECES = 160
"""Of about 3 KB: pages of 45 KB in the mean, a few of several hundred."""
MAX_PICTURE = 6000
"""Octets of a picture in the page, which nothing compresses."""

_LATIN = "eeeeaaaattttooiinnsshhrrddllcummwwffggyyppbbvk"
_CYRILLIC = "ооооееееааааиииннтттссрррввллкккммддппууяяыыьгзбчйхжшюцщэф"
_SHAPES = (
    (
        '<div class="{c}"><a href="/{w}/{h}" title="{t}"><img src="https://static.{w}.example/{i}.jpg?w=320" '
        'alt="" loading="lazy"></a><h3 class="{c}__title">{t}</h3><p>{p}</p>\n<time datetime="{d}">{d}</time>'
        "</div>\n"
    ),
    "<p>{p}</p>\n",
    '<li id="{h}" class="{c} menu-item"><a href="https://{w}.example/{w}?utm_source={w}&amp;id={h}">{t}</a></li>\n',
    '<script>window.__d=window.__d||[];__d.push({{"id":"{i}","k":"{w}","t":"{t}","v":[{n},{n}]}});</script>\n',
    "<article data-id={n} class='{c}'>{p} <b>{t}</b> {p}</article>\n",
)


class Pages:
    """All pages of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.theme = lru_cache(maxsize=None)(self._theme)

    def body(self, theme: int, title: str, rng: random.Random, *, small: bool = False) -> tuple[str, int]:
        """A recipe of a body, to be written by `render`, and its length in characters."""
        pieces = self.theme(theme % THEMES)
        count = 1 if small else min(int(rng.lognormvariate(2.3, 0.8)) + 1, MAX_PIECES)
        chosen = [rng.randrange(PIECES) for _ in range(count)]
        recipe = f"{theme % THEMES}|{rng.getrandbits(64):016x}|{','.join(map(str, chosen))}|{title}"
        return recipe, sum(pieces[number][2] for number in chosen) + len(title) + 160

    def render(self, recipe: str, style: Style) -> bytes:
        """The body of a recipe, as the inside of a JSON string."""
        theme, nonce, chosen, title = recipe.split("|", 3)
        seed = int(nonce, 16)
        octets = random.Random(seed).randbytes(seed % MAX_PICTURE)
        picture = base64.b64encode(octets).decode()
        index = 0 if style == "go" else 1
        pieces = self.theme(int(theme))
        head = (
            f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="csrf-token" content="{nonce}"></head><body>\n'
            f'<img src="data:image/webp;base64,{picture}">\n'
        )
        middle = b"".join([pieces[int(number)][index] for number in chosen.split(",")])
        return encode_text(head, style) + middle + encode_text("</body></html>\n", style)

    def _theme(self, number: int) -> list[tuple[bytes, bytes, int]]:
        rng = random.Random(f"{self._seed}:theme:{number}")
        letters = _CYRILLIC if number % 3 == 0 else _LATIN
        words = ["".join(rng.choices(letters, k=max(2, int(rng.gauss(6, 2.4))))) for _ in range(WORDS)]
        slugs = ["".join(rng.choices(_LATIN, k=rng.randint(3, 9))) for _ in range(300)]
        weights = list(accumulate(1 / (rank + 30) for rank in range(WORDS)))
        return [self._piece(rng, words, weights, slugs) for _ in range(PIECES)]

    @staticmethod
    def _piece(
        rng: random.Random, words: list[str], weights: list[float], slugs: list[str]
    ) -> tuple[bytes, bytes, int]:
        text = ""
        size = rng.randint(1200, 4500)
        while len(text) < size:
            text += rng.choice(_SHAPES).format(
                c=rng.choice(slugs[:24]),
                w=rng.choice(slugs),
                h=f"{rng.getrandbits(48):012x}",
                i=f"{rng.getrandbits(128):032x}",
                t=" ".join(rng.choices(words, cum_weights=weights, k=rng.randint(3, 9))).capitalize(),
                p=" ".join(rng.choices(words, cum_weights=weights, k=rng.randint(15, 60))),
                d=f"202{rng.randint(1, 4)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
                n=rng.randint(1, 99999),
            )
        return encode_text(text, "go"), encode_text(text, "uploader"), len(text)
