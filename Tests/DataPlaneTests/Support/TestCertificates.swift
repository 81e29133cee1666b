/// Certificates and keys for tests only: nobody trusts this authority.
///
/// Valid for a hundred years.
enum TestCertificates {
    /// The authority that tests trust.
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBrjCCAVOgAwIBAgIUUq5m3olCW0Si62m4IcRgDu+7TScwCgYIKoZIzj0EAwIw
        IzEhMB8GA1UEAwwYR2F0ZWhvdXNlIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEyMjIx
        MzA1OFoYDzIxMjYxMDI5MjEzMDU4WjAjMSEwHwYDVQQDDBhHYXRlaG91c2UgdGVz
        dCBhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASVGZstQL6eBjXq
        VQve9iUpfyzxtHRIjR1gkHe5VZjqXoVR7fPiGrhThf5w2H1OLUyz1Lp7EP6eftfH
        j0sKLbuCo2MwYTAdBgNVHQ4EFgQUGc4vs+6gbIwv5ffMiIyxR6fB4O0wHwYDVR0j
        BBgwFoAUGc4vs+6gbIwv5ffMiIyxR6fB4O0wDwYDVR0TAQH/BAUwAwEB/zAOBgNV
        HQ8BAf8EBAMCAgQwCgYIKoZIzj0EAwIDSQAwRgIhAKVYy65cQTSDhtlQKo8yjMwc
        BwL+iqx6hoHg0oD1U99sAiEA4DgSNYgoaPlqLIyeVrIZIJAFLNc6/1iL+SBZjfoE
        zPM=
        -----END CERTIFICATE-----
        """

    /// Signed by the authority, for `localhost` and 127.0.0.1.
    static let local = """
        -----BEGIN CERTIFICATE-----
        MIIBtDCCAVugAwIBAgIUcjvkAuaNPF/RXfL0INVetVm9zkgwCgYIKoZIzj0EAwIw
        IzEhMB8GA1UEAwwYR2F0ZWhvdXNlIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEyMjIx
        MzA1OFoYDzIxMjYxMDI5MjEzMDU4WjAQMQ4wDAYDVQQDDAVsb2NhbDBZMBMGByqG
        SM49AgEGCCqGSM49AwEHA0IABI6dY248b+wAF3j/YnbthAHTwmQ1KsJRx1p4tHZn
        qTIQmR8R9y7UCjK/a3lG407tOTKRvF/Vq17+DIMK2K3eL2KjfjB8MBoGA1UdEQQT
        MBGCCWxvY2FsaG9zdIcEfwAAATAJBgNVHRMEAjAAMBMGA1UdJQQMMAoGCCsGAQUF
        BwMBMB0GA1UdDgQWBBR9cLuQYexruqz18N66lKKu5xgHMjAfBgNVHSMEGDAWgBQZ
        zi+z7qBsjC/l98yIjLFHp8Hg7TAKBggqhkjOPQQDAgNHADBEAiBtFNyMDrHy+Auc
        yb2snzM+b4wb4igsV5x3rgxKPNAt/QIgIUKf4J+mnKaQ1XIV/H2ZrwABQn0mYyOW
        BBDK2CvqX94=
        -----END CERTIFICATE-----
        """

    /// The key of `local`.
    static let localKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9LhyAKO0ibBVBIRC
        NkmtHgK5DqsNuucKyekNTM1zSRehRANCAASOnWNuPG/sABd4/2J27YQB08JkNSrC
        UcdaeLR2Z6kyEJkfEfcu1Aoyv2t5RuNO7Tkykbxf1ate/gyDCtit3i9i
        -----END PRIVATE KEY-----
        """

    /// Signed by the authority, for `provider.example`.
    static let elsewhere = """
        -----BEGIN CERTIFICATE-----
        MIIBtjCCAVygAwIBAgIUcjvkAuaNPF/RXfL0INVetVm9zkkwCgYIKoZIzj0EAwIw
        IzEhMB8GA1UEAwwYR2F0ZWhvdXNlIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEyMjIx
        MzA1OVoYDzIxMjYxMDI5MjEzMDU5WjAQMQ4wDAYDVQQDDAV3cm9uZzBZMBMGByqG
        SM49AgEGCCqGSM49AwEHA0IABF/y+lRJaUEAAbvmN/0H+ugUSEHK33tFKGH212dT
        CL9mzXhDBkivVaNMKguu6Jzb207iM/PC6ytyFjrgAb8kKpOjfzB9MBsGA1UdEQQU
        MBKCEHByb3ZpZGVyLmV4YW1wbGUwCQYDVR0TBAIwADATBgNVHSUEDDAKBggrBgEF
        BQcDATAdBgNVHQ4EFgQUCT1N+i8E0JPlRYXKtNP6SVlkDdUwHwYDVR0jBBgwFoAU
        Gc4vs+6gbIwv5ffMiIyxR6fB4O0wCgYIKoZIzj0EAwIDSAAwRQIgBmZhuv2ohDrY
        gJxMgFIaFrtehmE5m/+BnEYKLskWQaUCIQDornmm+RXL1EFzKk9Cfh2Wgvqxn/Tm
        tD0ZYX6hCupmkg==
        -----END CERTIFICATE-----
        """

    /// The key of `elsewhere`.
    static let elsewhereKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgk/Ewa2tjNEPr9YoG
        TbvktGZrCY45CryS3k3Iqm8FMNahRANCAARf8vpUSWlBAAG75jf9B/roFEhByt97
        RShh9tdnUwi/Zs14QwZIr1WjTCoLruic29tO4jPzwusrchY64AG/JCqT
        -----END PRIVATE KEY-----
        """

    /// Signed by itself, for `localhost` and 127.0.0.1.
    static let stranger = """
        -----BEGIN CERTIFICATE-----
        MIIBmTCCAT+gAwIBAgIUcJ35LOQrwAFQ1x6a6EV3XQVr6r8wCgYIKoZIzj0EAwIw
        EzERMA8GA1UEAwwIc3RyYW5nZXIwIBcNMjYxMTIyMjEzMDU5WhgPMjEyNjEwMjky
        MTMwNTlaMBMxETAPBgNVBAMMCHN0cmFuZ2VyMFkwEwYHKoZIzj0CAQYIKoZIzj0D
        AQcDQgAEPqZKzeJOd9RGKT2fGmY3rnpHOyYLLjxis7nGbauxhvR6XOYZV4Dj4OuF
        TsmYW1aQZ5XiXSF5TmZudRXmMZSpd6NvMG0wHQYDVR0OBBYEFIi+n7OyfSspO1ki
        4BVllbYseDfvMB8GA1UdIwQYMBaAFIi+n7OyfSspO1ki4BVllbYseDfvMA8GA1Ud
        EwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAoGCCqGSM49
        BAMCA0gAMEUCIAjYGvLvIYUfC3OB9aYE5Pf+m09+4TUrYVIdRxJQ/Dl3AiEAtyFo
        vPh0GgbVw1+wCpVkcYzRkNRfQ2RGu66v+GFyd7s=
        -----END CERTIFICATE-----
        """

    /// The key of `stranger`.
    static let strangerKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQGicuz7TFAiJApR+
        27U3M3qlrTmps2oUBzI98HVwh92hRANCAAQ+pkrN4k531EYpPZ8aZjeuekc7Jgsu
        PGKzucZtq7GG9Hpc5hlXgOPg64VOyZhbVpBnleJdIXlOZm51FeYxlKl3
        -----END PRIVATE KEY-----
        """

    /// Signed by itself, for 127.0.0.1, ::1 and `elsewhere.example`.
    static let address = """
        -----BEGIN CERTIFICATE-----
        MIIBxTCCAWugAwIBAgIULg7uwg7oPG3D4vZi7lIiekg/5T4wCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHYWRkcmVzczAgFw0yNjExMjcyMjIyNTBaGA8yMTI2MTEwMzIy
        MjI1MFowEjEQMA4GA1UEAwwHYWRkcmVzczBZMBMGByqGSM49AgEGCCqGSM49AwEH
        A0IABLsg189DdlUcYTDXtX8KWOT253wyfnRk9hfpaqta+oI2n2vgb/MuVJ+O5xUn
        OFxTOdXGzBJ/5aOLrHXSkE2O4UKjgZwwgZkwHQYDVR0OBBYEFG7Fyi+DGQ48/gdO
        2ZBRKcSb1YnMMB8GA1UdIwQYMBaAFG7Fyi+DGQ48/gdO2ZBRKcSb1YnMMDQGA1Ud
        EQQtMCuHBH8AAAGHEAAAAAAAAAAAAAAAAAAAAAGCEWVsc2V3aGVyZS5leGFtcGxl
        MAwGA1UdEwEB/wQCMAAwEwYDVR0lBAwwCgYIKwYBBQUHAwEwCgYIKoZIzj0EAwID
        SAAwRQIhAJ9kQN8WqJL4C5V4OvhNbaeZRyMcsjEECjuwaF22+dCiAiAg+Hww2E3q
        9ILez4vXrFbKBerxJmUXl40osCxxl7Dk3Q==
        -----END CERTIFICATE-----
        """

    /// The key of `address`.
    static let addressKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2dyikQg3jq5mzDRQ
        ahCzFbPsiXew2p2knBYQUCTT0MShRANCAAS7INfPQ3ZVHGEw17V/Cljk9ud8Mn50
        ZPYX6WqrWvqCNp9r4G/zLlSfjucVJzhcUznVxswSf+Wji6x10pBNjuFC
        -----END PRIVATE KEY-----
        """
}
