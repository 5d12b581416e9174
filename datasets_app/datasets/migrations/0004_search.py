"""The full-text index over the texts of items. See `datasets.search` for what is asked of it, and `datasets.words` for its triggers."""

from django.db import migrations

SIGNS = "/@.-_<&+~"
VECTOR = f"to_tsvector('simple'::regconfig, translate(left(text, 100000), '{SIGNS}', '{' ' * len(SIGNS)}'))"


def make(apps, schema_editor):
    """An index over an expression, or a table of words; either takes in what is there already."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"CREATE INDEX item_words ON datasets_item USING gin ({VECTOR})")
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("CREATE VIRTUAL TABLE datasets_words USING fts5(text, content='', tokenize='unicode61 remove_diacritics 0')")
        cursor.execute("INSERT INTO datasets_words (rowid, text) SELECT id, substr(text, 1, 100000) FROM datasets_item ORDER BY id")


def drop(apps, schema_editor):
    """Without it nothing is lost: it holds only what the items say."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX item_words")
        return
    with schema_editor.connection.cursor() as cursor:
        for event in ("insert", "delete"):
            cursor.execute(f"DROP TRIGGER IF EXISTS datasets_item_words_{event}")
        cursor.execute("DROP TABLE datasets_words")


class Migration(migrations.Migration):

    dependencies = [("datasets", "0003_tasks")]

    operations = [migrations.RunPython(make, drop)]
