import { matrix } from "./matrix.js"

matrix("go")
