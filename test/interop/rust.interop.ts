import { matrix } from "./matrix.js"

matrix("rust")
