import { matrix } from "../support/interop/matrix.js"

matrix("go-2.0.1")
