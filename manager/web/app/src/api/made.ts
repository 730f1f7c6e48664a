import { queryOptions } from '@tanstack/react-query'
import type { Image } from '../../../../packagers/images.ts'
import type { Media } from '../../../../packagers/media/media.ts'
import { checkedFetch } from './problem.ts'

/** What jobs make has one shape in all rooms (`engines/jobs/request-routes.ts`), so that these routes share one client. */
async function read<T>(path: string): Promise<T> {
  return (await checkedFetch(`/api/v1${path}`)).json()
}
export async function send<T>(path: string, body: unknown): Promise<T> {
  const answer = await checkedFetch(`/api/v1${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return answer.status === 204 ? (undefined as T) : answer.json()
}

const underWay = (state: string) => state === 'waiting' || state === 'making'
/** Jobs tell no facts: what is under way is asked for again. */
const whileMaking = <T extends { state: string }>(items: readonly T[] | undefined) =>
  items?.some(({ state }) => underWay(state)) ? 1_000 : false

export const mediaQuery = queryOptions({
  queryKey: ['media'],
  queryFn: async () => (await read<{ items: Media[] }>('/media')).items,
  refetchInterval: (query) => whileMaking(query.state.data),
})
export const oneMediaQuery = (hash: string) =>
  queryOptions({
    queryKey: ['media', hash],
    queryFn: () => read<Media>(`/media/${hash}`),
    refetchInterval: (query) => whileMaking(query.state.data && [query.state.data]),
  })
export const imagesQuery = queryOptions({
  queryKey: ['images'],
  queryFn: async () => (await read<{ items: Image[] }>('/images')).items,
  refetchInterval: (query) => whileMaking(query.state.data),
})
