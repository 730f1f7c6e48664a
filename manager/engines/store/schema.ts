import type { Generated } from 'kysely'

/**
 * Every table of the manager, as rows. Conventions that hold on SQLite and Postgres alike: ids are text (UUIDv7), times are epoch
 * milliseconds, booleans are 0/1, structured values are JSON text. Every row that belongs to a tenant carries its organisation.
 */
export interface Database {
  settings: { key: string; value: string }

  sites: {
    id: string
    organisation: string
    name: string
    tags: string
    lans: string
    unknown: 'local-disk' | 'wait' | 'ignore'
    dns: string
    /** Number of its /64 in the overlay, 1..65535, never used again. */
    subnet: number
    /** Rises with every change by a person; guards against lost updates. */
    revision: number
    created_at: number
    updated_at: number
  }
  /** The box that is bound to a site. */
  appliances: {
    site: string
    organisation: string
    wireguard_key: string
    signing_key: string
    secret_sha256: string
    hardware: string
    version: string
    ssh_public_key: string | null
    enrolled_at: number
    applied_revision: number | null
    applied_at: number | null
    refused: string | null
  }
  /** What was compiled last. `wanted` rises with each relevant change, `compiled` follows it: a crash between them loses nothing. */
  site_states: {
    site: string
    organisation: string
    wanted: number
    compiled: number
    revision: number
    content_sha256: string
    state: string
    jws: string
    at: number
    published: number
  }
  enrolment_tokens: {
    id: string
    organisation: string
    site: string
    sha256: string
    created_at: number
    expires_at: number
    spent_at: number | null
    wireguard_key: string | null
    signing_key: string | null
  }
  /** Boxes that came with a spent token and wait for a person. */
  pending_boxes: {
    id: string
    organisation: string
    site: string
    token: string
    code: string
    wireguard_key: string
    signing_key: string
    hardware: string
    version: string
    first_seen: number
    last_seen: number
  }
  /** Boxes of a generic image, which came without a token: whoever types the code binds one. They are nobody's until then. */
  claims: {
    code: string
    wireguard_key: string
    signing_key: string
    hardware: string
    version: string
    created_at: number
    expires_at: number
  }
  /** What the bound box last said of itself: `booted` at its start, `progress` of an update, `repaired` of its other slot. JSON with `at`. */
  appliance_facts: { site: string; organisation: string; booted: string | null; progress: string | null; repaired: string | null }
  /** Downloads of images with a bridgehead.json of their own. Neither the code nor what is sealed can be read without the manager's key. */
  image_tickets: {
    id: string
    organisation: string
    site: string | null
    /** Of `enrolment_tokens`. */
    token: string | null
    image: string
    code_sha256: string
    sealed: string
    created_at: number
    expires_at: number
  }
  releases: {
    id: string
    organisation: string
    image: string
    board: string
    version: string
    manifest: string
    created_by: string
    created_at: number
  }
  rollouts: {
    id: string
    organisation: string
    release: string
    selector: string
    waves: string
    stop_after: number
    maintenance: string | null
    state: 'running' | 'paused' | 'stopped' | 'done'
    why: string
    created_by: string
    created_at: number
    updated_at: number
  }
  /** `told`: the release is in the site's state by this rollout. */
  rollout_sites: {
    rollout: string
    site: string
    organisation: string
    wave: number | null
    told: number
    told_at: number | null
    outcome: string
    why: string | null
    skipped: number
  }

  hosts: {
    id: string
    organisation: string
    site: string
    name: string
    tags: string
    uuid: string | null
    serial: string | null
    facts: string
    /** 0 while it was only seen: its site may let rules decide. 1 once a person or a rule has. */
    decided: number
    approved: number
    retired: number
    status: string
    /** Why it has this status, where the site said so. */
    why: string | null
    ip: string | null
    profile: string | null
    intent: string | null
    host_keys: string
    /** Where the site reached it last. */
    address: string | null
    lan: string | null
    rule: string | null
    revision: number
    first_seen: number
    last_seen: number | null
  }
  host_macs: { site: string; mac: string; host: string; organisation: string }
  /** Ids that an appliance gave to machines that were registered here already. */
  host_aliases: { site: string; alias: string; host: string; organisation: string }
  leases: { site: string; lan: string; ip: string; mac: string; hostname: string | null; until: number; organisation: string }
  rules: {
    id: string
    organisation: string
    name: string
    sort_order: number
    sites: string
    match: string
    tags: string
    profile: string | null
  }
  ssh_keys: { id: string; organisation: string; name: string; public_key: string; sites: string; created_at: number }

  profiles: { id: string; organisation: string; name: string; version: number; created_at: number }
  profile_versions: { profile: string; version: number; organisation: string; body: string; created_at: number }
  scripts: { id: string; organisation: string; name: string; kind: string; version: number; created_at: number }
  script_versions: { script: string; version: number; organisation: string; text: string; created_at: number }

  runs: {
    id: string
    organisation: string
    script: string | null
    script_version: number | null
    text: string
    selector: string | null
    run_as: string
    timeout_seconds: number
    created_by: string
    created_at: number
    deadline: number
  }
  run_hosts: {
    id: string
    run: string
    organisation: string
    site: string
    host: string
    state: 'queued' | 'running' | 'finished' | 'failed' | 'expired'
    ip: string | null
    exit_code: number | null
    error: string | null
    ms: number | null
    /** Of its rows in run_output. */
    output_chars: Generated<number>
    started_at: number | null
    finished_at: number | null
  }
  run_output: { run_host: string; seq: number; stream: 'stdout' | 'stderr'; text: string; organisation: string }
  /** Signed orders on their way down; `sent_at` empty: Redis has not taken it yet. */
  commands: {
    id: string
    organisation: string
    site: string
    jws: string
    deadline: number
    created_at: number
    sent_at: number | null
  }

  /** Every fact that a site told, once. `seq` is the manager's own order. */
  events: {
    seq: Generated<number>
    organisation: string
    site: string
    id: string
    at: number
    received_at: number
    kind: string
    host: string | null
    boot: string | null
    data: string
    /** Set when the fact was kept but could not be acted on. */
    error: string | null
  }
  /** Every change that somebody asked for, once it was made. `seq` is the manager's own order; `detail` is JSON without secrets. */
  audit: {
    seq: Generated<number>
    organisation: string
    at: number
    actor_kind: 'user' | 'key' | 'appliance'
    actor_id: string
    actor_name: string
    action: string
    target_id: string | null
    target_name: string | null
    detail: string
  }
  refused_events: { organisation: string; site: string; received_at: number; text: string; why: string }
}
