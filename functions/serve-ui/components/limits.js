// The API's limits that the components repeat. Tests in src/components.rs hold them equal to the domain's
// constants and to infra/openapi.yaml.

/** Recipients per request. */
export const RECIPIENTS_LIMIT = 100;

/** Files per share. */
export const FILES_LIMIT = 100;

/** Characters per message. */
export const MESSAGE_LIMIT = 2_000;

/** Characters before the @ of an address, and in all. */
export const LOCAL_PART_LIMIT = 64;
export const ADDRESS_LIMIT = 254;

/** Years from now to the latest expiration. */
export const YEARS_LIMIT = 10;

/** Items per permission request. */
export const ITEMS_LIMIT = 100;
