import { netmask } from '@bridgehead/shared/model/address.ts'
import type { MediaRecipe, MediaTarget } from './recipe.ts'

/** A download that stands still that long is given up; the next server, network card or round comes instead. */
const FETCH_MS = 20_000
const LINK_MS = 10_000
/** Pause before the next round; meanwhile a key opens the shell. */
const PAUSE_MS = 5_000

/**
 * The iPXE script of a medium: brings the network up, fetches what the recipe names, and when either fails says in a sentence what to
 * check, waits, and begins again. An operator's own script is taken as it is. Pure. For iPXE of 2021 and newer.
 */
export function mediaScript(recipe: Pick<MediaRecipe, 'network' | 'vlan' | 'name'>, target: MediaTarget): string {
  if (target.kind === 'script') return target.text.endsWith('\n') ? target.text : `${target.text}\n`
  const goal = target.kind === 'site' ? `site ${target.name}` : target.url
  const urls = target.kind === 'site' ? target.servers.map((server) => `${server}/boot/start.ipxe`) : [target.url]
  const title = `Bridgehead: ${printable(recipe.name ?? 'boot medium')}, boots from ${printable(goal)}`
  const network = needsCards(recipe) ? cardByCard(recipe) : anyCard()
  return `${[
    '#!ipxe',
    `echo ${title}`,
    '',
    ...network,
    ...fetches(urls, target, needsCards(recipe)),
    '',
    ':pause',
    `prompt --key s --timeout ${PAUSE_MS} Trying again in ${PAUSE_MS / 1000} seconds, or press s for a shell && shell ||`,
    'goto start',
  ].join('\n')}\n`
}

const needsCards = ({ network, vlan }: Pick<MediaRecipe, 'network' | 'vlan'>) => network !== undefined || vlan !== undefined

/** `dhcp` alone asks on every network card in turn, and keeps the first that answers. */
function anyCard(): string[] {
  return [
    ':start',
    'dhcp || goto no_address',
    'goto fetch',
    '',
    ':no_address',
    'echo No network card got an address by DHCP. Check the cable, the switch port and the DHCP server.',
    'ifstat ||',
    'goto pause',
    '',
  ]
}

/** With a VLAN or a fixed address nobody answers on a wrong card, so that each is tried up to the fetch. */
function cardByCard({ network, vlan }: Pick<MediaRecipe, 'network' | 'vlan'>): string[] {
  const card = vlan === undefined ? 'net${n}' : `net\${n}-${vlan}`
  const where = vlan === undefined ? '' : `in VLAN ${vlan} `
  return [
    ':start',
    'set n:int32 0',
    '',
    '# One network card after the other',
    ':card',
    'isset ${net${n}/mac} || goto no_card',
    `iflinkwait --timeout ${LINK_MS} net\${n} || goto next_card`,
    ...(vlan === undefined ? [] : [`isset \${${card}/mac} || vcreate --tag ${vlan} net\${n} || goto next_card`]),
    ...(network === undefined ? [`dhcp ${card} || goto next_card`] : addressLines(card, network)),
    'goto fetch',
    '',
    ':next_card',
    `ifclose ${card} ||`,
    'inc n',
    'goto card',
    '',
    ':no_card',
    network === undefined
      ? `echo No DHCP server answered ${where}on any network card. Check the cable, the switch port${vlan === undefined ? '' : ', its VLANs'} and the DHCP server.`
      : `echo The server was not reached from ${network.address} ${where}on any network card. Check the cable, the switch port${vlan === undefined ? '' : ', its VLANs'} and the address.`,
    'ifstat ||',
    'goto pause',
    '',
  ]
}

function addressLines(card: string, { address, gateway, dns }: NonNullable<MediaRecipe['network']>): string[] {
  const [ip = '', prefix = '24'] = address.split('/')
  return [
    `set ${card}/ip ${ip}`,
    `set ${card}/netmask ${netmask(Number(prefix))}`,
    ...(gateway === undefined ? [] : [`set ${card}/gateway ${gateway}`]),
    ...(dns === undefined ? [] : [`set dns ${dns}`]),
    `ifopen ${card} || goto next_card`,
  ]
}

/** `chain` comes back only when it failed: what it started never returns, or says itself what is wrong. */
function fetches(urls: readonly string[], target: MediaTarget, cards: boolean): string[] {
  const failed =
    target.kind === 'site'
      ? `The appliance of site ${printable(target.name)} does not answer at ${urls.map((url) => new URL(url).host).join(' or ')}.`
      : `${printable(urls[0] ?? '')} could not be loaded.`
  return [
    ':fetch',
    ...urls.flatMap((url) => [`echo Loading ${printable(url)}`, `chain --replace --autofree --timeout ${FETCH_MS} ${url} ||`]),
    `echo ${failed} The line above says why.`,
    ...(cards ? ['goto next_card'] : ['route ||']),
  ]
}

/** Words that `echo` prints as they are: iPXE would take `#`, `;`, `&&` and `||` for its own. */
function printable(text: string): string {
  return text.replace(/(^|\s)(#|;|&&|\|\|)/g, '$1')
}
