"""The page's colours (service/tertulia/web/style/tokens.css), by day and by night."""

from typing import Final

from textual.theme import BUILTIN_THEMES, Theme

_DARK: Final = {
    "paper": "#14191a",
    "surface": "#1e2526",
    "ink": "#e5e9e6",
    "muted": "#9fabaa",
    "rule": "#303a3b",
    "accent": "#63cbb3",
    "on-accent": "#06231d",
    "private": "#3a2944",
    "private-ink": "#dcb8e9",
    "grave": "#ff9a8d",
    "warm": "#f3c27a",
}
_LIGHT: Final = {
    "paper": "#f6f3ec",
    "surface": "#fffdf9",
    "ink": "#22292a",
    "muted": "#5a6365",
    "rule": "#e3dccf",
    "accent": "#0f6b5c",
    "on-accent": "#ffffff",
    "private": "#f1e5f5",
    "private-ink": "#6d3580",
    "grave": "#a3291f",
    "warm": "#8a5200",
}
_TERMINAL: Final = {
    "paper": "ansi_default",
    "surface": "ansi_default",
    "ink": "ansi_default",
    "muted": "ansi_default",
    "rule": "ansi_default",
    "accent": "ansi_cyan",
    "on-accent": "ansi_black",
    "private": "ansi_default",
    "private-ink": "ansi_magenta",
    "grave": "ansi_red",
    "warm": "ansi_yellow",
}


def _theme(name: str, colours: dict[str, str], *, dark: bool, ansi: bool = False) -> Theme:
    accent, ink, paper = colours["accent"], colours["ink"], colours["paper"]
    return Theme(
        name=name,
        primary=accent,
        secondary=colours["private-ink"],
        accent=accent,
        success=accent,
        warning=colours["warm"],
        error=colours["grave"],
        foreground=ink,
        background=paper,
        surface=colours["surface"],
        panel=colours["rule"],
        boost=colours["surface"],
        dark=dark,
        ansi=ansi,
        variables={
            **(BUILTIN_THEMES["ansi-dark"].variables if ansi else {}),
            "muted": colours["muted"],
            "rule": colours["rule"],
            "on-accent": colours["on-accent"],
            "private": colours["private"],
            "private-ink": colours["private-ink"],
            "block-cursor-foreground": colours["on-accent"],
            "block-cursor-background": accent,
            "block-cursor-blurred-foreground": ink,
            "block-cursor-blurred-background": colours["rule"],
            "footer-key-foreground": accent,
            "footer-foreground": ink,
            "footer-background": colours["surface"],
            "footer-description-foreground": ink,
            "border": accent,
            "border-blurred": colours["muted"],
            "input-selection-background": accent,
            "input-selection-foreground": colours["on-accent"],
            "input-cursor-background": ink,
            "input-cursor-foreground": paper if not ansi else "ansi_black",
            "screen-selection-background": accent,
            "screen-selection-foreground": colours["on-accent"],
        },
    )


THEMES: Final = {
    "dark": _theme("tertulia-dark", _DARK, dark=True),
    "light": _theme("tertulia-light", _LIGHT, dark=False),
    "terminal": _theme("tertulia-terminal", _TERMINAL, dark=True, ansi=True),
}
"""By what the settings call them."""
