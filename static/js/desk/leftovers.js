// On pages without a comparison: answers that an earlier page kept are sent.

import { sendLeftovers, showKept } from "./outbox.js";

showKept();
sendLeftovers();
