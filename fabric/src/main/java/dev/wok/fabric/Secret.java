package dev.wok.fabric;

import dev.wok.fabric.Message.Claims;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// What the ranks of a group know, and how they prove it to each other: with HMAC-SHA256 of a random number that the
/// other chose, so the secret itself never travels and no proof can be used again.
final class Secret {
    private static final String ALGORITHM = "HmacSHA256";
    private static final SecureRandom RANDOM = new SecureRandom();

    private final SecretKeySpec key;

    Secret(byte[] secret) {
        key = new SecretKeySpec(secret, ALGORITHM);
    }

    static byte[] nonce() {
        byte[] nonce = new byte[MessageLayout.NONCE];
        RANDOM.nextBytes(nonce);
        return nonce;
    }

    /// The proof of who connects: of what it claims, for the number that it was given.
    byte[] hello(byte[] challenge, byte[] nonce, Claims claims) {
        return mac("hello", challenge, nonce, MessageLayout.encode(claims));
    }

    /// The proof of who accepts: for the number that the other gave.
    byte[] welcome(byte[] challenge, byte[] nonce, Claims claims) {
        return mac("welcome", challenge, nonce, MessageLayout.encode(claims));
    }

    static boolean same(byte[] proof, byte[] expected) {
        return MessageDigest.isEqual(proof, expected);
    }

    private byte[] mac(String label, byte[]... parts) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            mac.update(label.getBytes(StandardCharsets.US_ASCII));
            for (byte[] part : parts) {
                mac.update(part);
            }
            return mac.doFinal();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no " + ALGORITHM, e);
        }
    }
}
