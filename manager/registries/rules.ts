import type { Rule as StateRule } from '@bridgehead/shared/model/state.ts'
import { matches, parseSelector, type Tags } from '@bridgehead/shared/model/tags.ts'
import type { Selectable } from 'kysely'
import { invalidField, notFound } from '../engines/http/problem.ts'
import type { Database } from '../engines/store/schema.ts'
import type { Db, Tx } from '../engines/store/store.ts'
import type { HostSurroundings } from './hosts.ts'
import type { NewRule, Rule } from './model.ts'

export async function listRules(db: Db | Tx, organisation: string): Promise<Rule[]> {
  const rows = await db
    .selectFrom('rules')
    .selectAll()
    .where('organisation', '=', organisation)
    .orderBy('sort_order')
    .orderBy('id')
    .execute()
  return rows.map(toRule)
}

export async function getRule(db: Db | Tx, organisation: string, id: string): Promise<Rule> {
  const row = await db.selectFrom('rules').selectAll().where('id', '=', id).where('organisation', '=', organisation).executeTakeFirst()
  if (!row) throw notFound('rule', id)
  return toRule(row)
}

/** Adds the rule, or replaces the one with this id. */
export async function putRule(
  tx: Tx,
  around: Pick<HostSurroundings, 'findProfile'>,
  organisation: string,
  id: string,
  rule: NewRule,
): Promise<void> {
  const other = await tx
    .selectFrom('rules')
    .select('id')
    .where('organisation', '=', organisation)
    .where('name', '=', rule.name)
    .executeTakeFirst()
  if (other && other.id !== id) throw invalidField(['name'], `another rule is named "${rule.name}"`, 'name-taken')
  const profile = rule.profile === undefined ? null : await around.findProfile(tx, organisation, rule.profile)
  if (profile === undefined) throw invalidField(['profile'], `there is no profile "${rule.profile}"`, 'reference-unknown')
  const values = {
    name: rule.name,
    sort_order: rule.order,
    sites: rule.sites,
    match: JSON.stringify(rule.match),
    tags: JSON.stringify(rule.tags),
    profile,
  }
  await tx
    .insertInto('rules')
    .values({ id, organisation, ...values })
    .onConflict((on) => on.column('id').doUpdateSet(values))
    .execute()
}

export async function deleteRule(tx: Tx, organisation: string, id: string): Promise<void> {
  const done = await tx.deleteFrom('rules').where('id', '=', id).where('organisation', '=', organisation).executeTakeFirst()
  if (done.numDeletedRows === 0n) throw notFound('rule', id)
}

/** The rules that hold at a site with these tags, in order. */
export async function rulesFor(tx: Db | Tx, organisation: string, siteTags: Tags): Promise<StateRule[]> {
  const rules = await listRules(tx, organisation)
  return rules
    .filter((rule) => matches(parseSelector(rule.sites), siteTags))
    .map(({ id, name, order, match, tags, profile }) => ({ id, name, order, match, tags, ...(profile === undefined ? {} : { profile }) }))
}

function toRule(row: Selectable<Database['rules']>): Rule {
  return {
    id: row.id,
    name: row.name,
    order: row.sort_order,
    sites: row.sites,
    match: JSON.parse(row.match) as Rule['match'],
    tags: JSON.parse(row.tags) as Tags,
    ...(row.profile === null ? {} : { profile: row.profile }),
  }
}
