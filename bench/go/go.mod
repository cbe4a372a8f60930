module effect-muxado-bench/go

go 1.23

require (
	github.com/hashicorp/yamux v0.1.2
	github.com/xtaci/smux v1.5.58
	golang.ngrok.com/muxado/v2 v2.0.2
)
