import type { InferRequestType, InferResponseType } from 'hono/client'
import type { Api } from './api.ts'

// What the manager's own routes take and answer.
export type Site = InferResponseType<Api['sites']['sites'][':id']['$get'], 200>
export type NewSite = InferRequestType<Api['sites']['sites']['$post']>['json']
export type Host = InferResponseType<Api['hosts']['hosts'][':id']['$get'], 200>
export type Explained = InferResponseType<Api['explain']['hosts'][':id']['explain']['$get'], 200>
export type Timeline = InferResponseType<Api['facts']['hosts'][':id']['timeline']['$get'], 200>
export type Run = InferResponseType<Api['runs']['runs'][':id']['$get'], 200>
export type NewRun = InferRequestType<Api['runs']['runs']['$post']>['json']
export type Media = InferResponseType<Api['media']['media']['$post'], 202>
export type MediaRecipe = InferRequestType<Api['media']['media']['$post']>['json']
export type Ticket = InferResponseType<Api['tickets']['sites'][':id']['image-tickets']['$post'], 201>
