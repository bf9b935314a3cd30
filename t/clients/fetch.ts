/* SPDX-License-Identifier: Apache-2.0 */
// The interface by a client of openapi-fetch and the types that openapi-typescript made of the document.
//
// usage: node fetch.js < {"url", "key", "label"}      writes what was answered
import { readFileSync } from 'node:fs';
import createClient from 'openapi-fetch';
import type { paths } from './types';

async function main(): Promise<void> {
    const { url, key, label } = JSON.parse(readFileSync(0, 'utf8'));
    const client = createClient<paths>({ baseUrl: url, headers: { 'X-API-KEY': key } });
    const told: Record<string, unknown> = {};

    const username = `${label}@example.org`;
    const made = await client.POST('/v1/users', { body: { username, password: 'Correct1Horse' } });
    const user = made.data!;
    told.made = [made.response.status, user.username, user.status, user.account_memberships.length];

    const params = { path: { user: user.id } };
    const changed = await client.PATCH('/v1/users/{user}', { params, body: { status: 'INACTIVE' } });
    told.changed = [changed.response.status, changed.data?.status];

    const listed = await client.GET('/v1/users', { params: { query: { status: 'INACTIVE', limit: 1 } } });
    told.listed = [listed.response.status, listed.data?.data.map((one) => one.id).includes(user.id), listed.data?.total_number_of_pages];

    const record = await client.GET('/v1/audit-records', { params: { query: { target_id: user.id, limit: 1 } } });
    told.record = record.data?.data[0].changes;

    const nobody = await client.GET('/v1/users/{user}', { params: { path: { user: 'user_00000000000000000000' } } });
    told.nobody = [nobody.response.status, nobody.error?.code, nobody.error?.resource_type];

    const role = await client.POST('/v1/roles', { body: { name: `Role ${label}`, permissions: ['SHOP.OPEN'] } });
    told.role = [role.response.status, role.data?.slug, role.data?.permissions, role.data?.description];
    console.log(JSON.stringify(told));
}

void main();
