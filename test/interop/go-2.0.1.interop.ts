import { matrix } from "./matrix.js"

matrix("go-2.0.1")
