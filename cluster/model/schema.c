/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/model/schema.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

#define TEXT_MAX (256 << 10)

static const struct {
	const char *table, *index;
	enum scope scope;
	const char *noun;
} entities[ENT_MAX] = {
#define ENTITY(kind, table, index, scope, noun, key) [ENT_##kind] = { table, index, scope, noun },
#include "cluster/model/entity.def"
};

static const char *const facts[FACT_KINDS] = {
#define FACT(kind, doc) [kind] = #kind,
#include "cluster/model/fact.def"
#undef FACT
};

const char *entity_name(enum entity e)
{
	assert(e < ENT_MAX);
	return entities[e].noun;
}

const char *entity_title(enum entity e, char ret[ENTITY_TITLE_SIZE])
{
	str_copy(ret, ENTITY_TITLE_SIZE, entity_name(e));
	ret[0] = (char)toupper((unsigned char)ret[0]);
	return ret;
}

enum scope entity_scope(enum entity e)
{
	return entities[e].scope;
}

const char *entity_table(enum entity e)
{
	assert(e < ENT_MAX);
	return entities[e].table;
}

const char *entity_index(enum entity e)
{
	return entities[e].index;
}

enum entity entity_by_table(const char *table)
{
	for (int e = 0; e < ENT_MAX; e++) {
		if (str_eq(entities[e].table, table))
			return (enum entity)e;
	}
	return ENT_MAX;
}

const char *fact_kind_name(enum fact f)
{
	assert(f < FACT_KINDS);
	return facts[f];
}

enum fact fact_by_name(const char *name)
{
	for (int f = 0; f < FACT_KINDS; f++) {
		if (str_eq(facts[f], name))
			return (enum fact)f;
	}
	return FACT_KINDS;
}

/* --- dqlite ----------------------------------------------------------------------------------- */

static const char tables[] =
	"CREATE TABLE IF NOT EXISTS rows(kind TEXT NOT NULL, key TEXT NOT NULL,"
	" rev INTEGER NOT NULL, doc TEXT, UNIQUE(kind, key));"
	"CREATE TABLE IF NOT EXISTS done(revision INTEGER PRIMARY KEY, id TEXT NOT NULL,"
	" burnt INTEGER NOT NULL);";

/* What an INSERT into the view does: refuse a base that is not the present revision, then apply. */
static const char steps[] =
	"SELECT RAISE(ABORT, 'stale revision')"
	" WHERE NEW.base <> (SELECT coalesce(max(revision), 0) FROM done);"
	"INSERT INTO done(revision, id, burnt)"
	" SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(NEW.done);"
	"INSERT INTO rows(kind, key, rev, doc)"
	" SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(NEW.rows)"
	" WHERE true ON CONFLICT(kind, key) DO UPDATE SET rev = excluded.rev, doc = excluded.doc;";

char *schema_dqlite(char name[SCHEMA_NAME_SIZE])
{
	snprintf(name, SCHEMA_NAME_SIZE, "batch_%08x", crc32c(0, steps, sizeof(steps)));
	return xasprintf("BEGIN IMMEDIATE;%s"
			 "CREATE VIEW IF NOT EXISTS %s(base, done, rows) AS SELECT 0, '', '';"
			 "CREATE TRIGGER IF NOT EXISTS %s_in INSTEAD OF INSERT ON %s BEGIN %s END;"
			 "COMMIT;",
			 tables, name, name, name, steps);
}

char *schema_batch_insert(const char *view)
{
	return xasprintf("INSERT INTO %s(base, done, rows) VALUES(?, ?, ?)", view);
}

/* --- replica ---------------------------------------------------------------------------------- */

char *schema_replica(void)
{
	struct sbuf b = SBUF(TEXT_MAX);

	sbuf_puts(&b, "CREATE TABLE meta(id INTEGER PRIMARY KEY, revision INTEGER, floor INTEGER);"
		      "INSERT INTO meta VALUES(1, 0, 0);"
		      "CREATE TABLE gone(kind TEXT, key TEXT, rev INTEGER, PRIMARY KEY(kind, key))"
		      " WITHOUT ROWID;"
		      "CREATE INDEX gone_rev ON gone(rev);"
		      "CREATE TABLE facts(kind INTEGER, key TEXT, member TEXT, text TEXT,"
		      " seq INTEGER, PRIMARY KEY(kind, key, member)) WITHOUT ROWID;"
		      "CREATE INDEX facts_member ON facts(member);"
		      "CREATE INDEX facts_seq ON facts(seq);"
		      "CREATE TABLE dirty(kind INTEGER, key TEXT, PRIMARY KEY(kind, key))"
		      " WITHOUT ROWID;"
		      "CREATE TABLE seen(kind INTEGER, key TEXT, PRIMARY KEY(kind, key))"
		      " WITHOUT ROWID;");
	for (int e = 0; e < ENT_MAX; e++) {
		const char *t = entities[e].table, *i = entities[e].index;

		sbuf_printf(&b, "CREATE TABLE %s(key TEXT PRIMARY KEY, rev INTEGER, doc TEXT", t);
		if (*i)
			sbuf_printf(&b,
				    ", idx TEXT GENERATED ALWAYS AS"
				    " (json_extract(doc, '$.%s')) VIRTUAL",
				    i);
		sbuf_printf(&b, "); CREATE INDEX %s_rev ON %s(rev);", t, t);
		if (*i)
			sbuf_printf(&b, "CREATE INDEX %s_idx ON %s(idx, key, rev);", t, t);
	}
	return sbuf_take(&b);
}
