-- The table that kafkacam-producer reads. Import it into a database of its own:
--   CREATE DATABASE kafkacam CHARACTER SET utf8mb4;
--   mysql kafkacam < schema.sql
--
-- and let the producer read it, nothing more:
--   CREATE USER 'kafkacam'@'localhost' IDENTIFIED BY 'a password';
--   GRANT SELECT ON kafkacam.cameras TO 'kafkacam'@'localhost';
--
-- Add a camera (it appears within catalog_interval, at once after "systemctl reload"):
--   INSERT INTO cameras (name, url) VALUES ('Gate', 'rtsp://user:password@10.0.0.5/stream1');

CREATE TABLE IF NOT EXISTS cameras (
    -- The camera's number everywhere: partition of the Kafka topic, /cam/ID in the browser. Never
    -- give a number to another camera: its old pictures and permalinks would become the new one's.
    id           INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,

    -- Shown below the picture.
    name         VARCHAR(100) NOT NULL DEFAULT '',

    -- rtsp:// or rtsps://, with user and password if the camera wants them. In these, write
    -- %40 for @, %3A for :, %2F for /, %3F for ?, %23 for #, %25 for %.
    url          VARCHAR(2000) NOT NULL,

    -- A camera that is not enabled is neither connected to nor shown.
    enabled      BOOLEAN NOT NULL DEFAULT TRUE,

    -- All below: NULL means what producer.conf has under [cameras].
    fps          DECIMAL(6,2) UNSIGNED NULL,        -- pictures a second at most, 0: all
    width        SMALLINT UNSIGNED NULL,            -- pixels at most, 0: as the camera sends
    quality      TINYINT UNSIGNED NULL,             -- JPEG, 1 to 100; NULL: as producer.conf says
    transport    ENUM('tcp', 'udp', 'auto', 'http', 'multicast') NULL,
    small_width  SMALLINT UNSIGNED NULL,            -- second, small picture for walls, 0: none
    small_fps    DECIMAL(6,2) UNSIGNED NULL,        -- of these a second at most, 0: all
    tls_verify   BOOLEAN NULL,                      -- rtsps: the certificate must be right
    tls_ca       VARCHAR(500) NULL,                 -- file of certificates to trust for it
    tls_oldest   ENUM('1.0', '1.1', '1.2', '1.3') NULL, -- version that is spoken

    updated_at   TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
) DEFAULT CHARACTER SET utf8mb4 COMMENT 'cameras of kafkacam-producer';
