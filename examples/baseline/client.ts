/** Starts a report, polls its status, and fetches the result: what a model does with these tools. */
import { withServer } from "../shared/client.ts";
import { pollReport } from "../shared/polling_client.ts";

await withServer("baseline", pollReport);
