# Exits with code 1 as soon as it has started.
FROM scratch
COPY busybox /bin/busybox
ENTRYPOINT ["/bin/busybox", "sh", "-c", "exit 1"]
