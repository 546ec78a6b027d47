// The page's focus trap.

import { createFocusTrap } from "focus-trap";

Object.assign(window, { createFocusTrap });
