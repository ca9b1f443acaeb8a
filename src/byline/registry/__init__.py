"""Who made what, under which rights."""

from byline.registry.database import open_database, upgrade, writing

__all__ = ["open_database", "upgrade", "writing"]
