export interface MediaWish {
  name: string
  kind: 'site' | 'url' | 'script'
  site: string
  url: string
  script: string
  outputs: string[]
  address: string
  gateway: string
  vlan: string
  serial: boolean
}

/** As the API takes it. Pure. */
export function recipeOf({ name, kind, site, url, script, outputs, address, gateway, vlan, serial }: MediaWish) {
  return {
    ...(name === '' ? {} : { name }),
    ...(kind === 'site' ? { site } : kind === 'url' ? { url } : { script }),
    outputs,
    ...(address === '' ? {} : { network: { address, ...(gateway === '' ? {} : { gateway }) } }),
    ...(vlan === '' ? {} : { vlan: Number(vlan) }),
    ...(serial ? { console: { serial: {} } } : {}),
  }
}
