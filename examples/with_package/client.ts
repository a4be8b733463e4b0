/** Starts a report, polls its status, and fetches the result: what a model does with these tools. */
import { pollReport } from "../shared/polling_client.ts";

await pollReport("with_package");
