/* SPDX-License-Identifier: Apache-2.0 */
// The same by the client that @hey-api/openapi-ts made.
//
// usage: node generated.js < {"url", "key", "label"}      writes what was answered
import { readFileSync } from 'node:fs';
import { client } from './sdk/client.gen';
import { createRole, createUser, getUser, listAuditRecords, listUsers, updateUser } from './sdk';

async function main(): Promise<void> {
    const { url, key, label } = JSON.parse(readFileSync(0, 'utf8'));
    // What it sends by itself for each scheme of the document: one credential a request.
    client.setConfig({ baseUrl: url, auth: (scheme) => (scheme.name === 'X-API-KEY' ? key : undefined) });
    const told: Record<string, unknown> = {};

    const username = `${label}@example.org`;
    const made = await createUser({ body: { username, password: 'Correct1Horse' } });
    const user = made.data!;
    told.made = [made.response!.status, user.username, user.status, user.account_memberships.length];

    const path = { user: user.id };
    const changed = await updateUser({ path, body: { status: 'INACTIVE' } });
    told.changed = [changed.response!.status, changed.data?.status];

    const listed = await listUsers({ query: { status: 'INACTIVE', limit: 1 } });
    told.listed = [listed.response!.status, listed.data?.data.map((one) => one.id).includes(user.id), listed.data?.total_number_of_pages];

    const record = await listAuditRecords({ query: { target_id: user.id, limit: 1 } });
    told.record = record.data?.data[0].changes;

    const nobody = await getUser({ path: { user: 'user_00000000000000000000' } });
    told.nobody = [nobody.response!.status, nobody.error?.code, nobody.error?.resource_type];

    const role = await createRole({ body: { name: `Role ${label}`, permissions: ['SHOP.OPEN'] } });
    told.role = [role.response!.status, role.data?.slug, role.data?.permissions, role.data?.description];
    console.log(JSON.stringify(told));
}

void main();
