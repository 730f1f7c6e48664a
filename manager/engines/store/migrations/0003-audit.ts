import type { Kysely } from 'kysely'

/** Who changed what, and a way to the newest facts of one kind of a site. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('audit')
    .addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('organisation', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('actor_kind', 'text', (c) => c.notNull())
    .addColumn('actor_id', 'text', (c) => c.notNull())
    .addColumn('actor_name', 'text', (c) => c.notNull())
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('target_id', 'text')
    .addColumn('target_name', 'text')
    .addColumn('detail', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('audit_organisation_seq').on('audit').columns(['organisation', 'seq']).execute()
  await db.schema.createIndex('audit_organisation_target_id').on('audit').columns(['organisation', 'target_id']).execute()

  await db.schema.createIndex('events_site_kind').on('events').columns(['site', 'kind', 'seq']).execute()
}
