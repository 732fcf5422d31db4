"""What every implementation of ``tertulia.chat.ports.Store`` is held to."""
