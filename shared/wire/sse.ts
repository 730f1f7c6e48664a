/** One message of a stream of server-sent events. Empty `data`: it only says from where to resume. */
export interface Message {
  id: string | undefined
  event: string
  data: string
}

/** Reads text as it comes and gives each message once it is whole (WHATWG HTML §9.2.6, the parts that the manager uses). */
export function sseReader(): (text: string) => Message[] {
  let rest = ''
  return (text) => {
    const blocks = (rest + text).split('\n\n')
    rest = blocks.pop() ?? ''
    return blocks.flatMap((block) => {
      let id: string | undefined
      let event = 'message'
      const data: string[] = []
      for (const line of block.split('\n')) {
        const [, field, value = ''] = /^([a-z]+): ?(.*)$/.exec(line) ?? []
        if (field === 'id') id = value
        else if (field === 'event') event = value
        else if (field === 'data') data.push(value)
      }
      return data.length === 0 && id === undefined ? [] : [{ id, event, data: data.join('\n') }]
    })
  }
}
