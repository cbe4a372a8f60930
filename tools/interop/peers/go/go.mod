module peer-go

go 1.23

require golang.ngrok.com/muxado/v2 v2.0.2
