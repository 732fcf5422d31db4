"""The dialect ``irc``: what people's own clients speak already. Described in docs/protocols/irc.md."""
