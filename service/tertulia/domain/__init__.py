"""What a chat is made of. Imports nothing of ours, no asyncio, no redis, no clock."""
