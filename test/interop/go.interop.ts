import { matrix } from "../support/interop/matrix.js"

matrix("go")
