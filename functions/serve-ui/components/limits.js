// API limits that are duplicated in the components. Tests in src/components.rs check that they match the
// domain's constants and infra/openapi.yaml.

/** Recipients per request. */
export const RECIPIENTS_LIMIT = 100;

/** Files per share. */
export const FILES_LIMIT = 100;

/** Bytes of all file names of a share. */
export const FILE_NAMES_LIMIT = 16_384;

/** Characters per message. */
export const MESSAGE_LIMIT = 2_000;

/** Characters before the @ in an address. */
export const LOCAL_PART_LIMIT = 64;
/** Characters in an address. */
export const ADDRESS_LIMIT = 254;

/** Years from now until the latest allowed expiration. */
export const YEARS_LIMIT = 10;

/** Items per permission request. */
export const ITEMS_LIMIT = 100;

/** Shares per bulk change. */
export const BULK_LIMIT = 100;
