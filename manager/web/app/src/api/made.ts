import { queryOptions } from '@tanstack/react-query'
import type { ApplianceImage } from '../../../../appliances/image-routes.ts'
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
export const forget = (path: string) => checkedFetch(`/api/v1${path}`, { method: 'DELETE' })

/** How far they are, `parts/use-progress.ts` hears; a list is read when it is looked at and when one of its things has ended. */
export const mediaQuery = queryOptions({
  queryKey: ['media'],
  queryFn: async () => (await read<{ items: Media[] }>('/media')).items,
})
export const oneMediaQuery = (hash: string) => queryOptions({ queryKey: ['media', hash], queryFn: () => read<Media>(`/media/${hash}`) })
export const imagesQuery = queryOptions({
  queryKey: ['images'],
  queryFn: async () => (await read<{ items: Image[] }>('/images')).items,
})
export const imageQuery = (hash: string) => queryOptions({ queryKey: ['images', hash], queryFn: () => read<Image>(`/images/${hash}`) })
export const applianceImagesQuery = queryOptions({
  queryKey: ['appliance-images'],
  queryFn: async () => (await read<{ items: ApplianceImage[] }>('/appliance-images')).items,
})
export const applianceImageQuery = (hash: string) =>
  queryOptions({ queryKey: ['appliance-images', hash], queryFn: () => read<ApplianceImage>(`/appliance-images/${hash}`) })
