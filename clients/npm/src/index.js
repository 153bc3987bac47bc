// @ts-check
export { apiKey, bearer, clientCredentials } from "./credentials.js";
export { Leyden } from "./leyden.js";
export { LeydenError } from "./errors.js";
export { verifyWebhook, WebhookError } from "./webhook.js";
