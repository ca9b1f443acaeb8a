"""A register that an older Byline wrote: brought up to date with what it holds."""

import json
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from byline.core import ClusterId, Manifest, ManifestEntry, ManifestId, WorkId, canonical_json
from byline.registry import Registry, register, writing

MIGRATIONS = Path(register.__file__).parent / "migrations"
OLD = "r0002"


def written_by_an_older_one(database: sa.Engine, manifests: list[Manifest]) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["version_table"] = "registry_version"
    with writing(database) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLD)
        for manifest in manifests:
            row = {"id": manifest.id, "body": canonical_json(manifest.to_json()).decode()}
            connection.execute(sa.text("INSERT INTO manifests (id, body) VALUES (:id, :body)"), row)


def test_works_are_found_in_manifests_that_were_frozen_before(database: sa.Engine, tmp_path: Path) -> None:
    entries = tuple(ManifestEntry(WorkId(f"work:{n}"), "ab" * 32, ClusterId("cluster:1")) for n in range(3))
    manifests = [
        Manifest(ManifestId("manifest:a"), date(2025, 1, 1), entries, (), "cd" * 32),
        Manifest(ManifestId("manifest:b"), date(2025, 1, 2), entries[1:2], (), "cd" * 32),
        Manifest(ManifestId("manifest:c"), date(2025, 1, 3), (), (), "cd" * 32),
    ]
    written_by_an_older_one(database, manifests)
    for _ in range(2):
        registry = Registry(database, tmp_path / "assets")
    assert registry.evidence.manifests_with(WorkId("work:1")) == ("manifest:a", "manifest:b")
    assert registry.evidence.manifests_with(WorkId("work:2")) == ("manifest:a",)
    assert registry.latest_manifest() == manifests[2]
    assert json.loads(json.dumps(registry.manifest(ManifestId("manifest:a")).to_json())) == manifests[0].to_json()
