// Formulas and code of the texts that a page shows.

import { finish, openScrollers } from "./desk/prose.js";

finish(document.body).then(() => openScrollers(document.body));
