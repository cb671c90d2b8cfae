//! One order: account, challenges (TLS-ALPN-01), key, certificate.

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use webhook_core::secret::Secret;

use super::cache::Cache;
use super::http::Http;
use crate::config::Identity;
use crate::config::acme::Acme;

/// A new key, and a certificate of the authority for it.
///
/// # Errors
/// What the authority says, or that it says nothing.
pub(super) async fn order(settings: &Acme, cache: &Cache) -> Result<Identity, String> {
    let account = account(settings, cache).await?;
    let domains = settings.domains.iter().cloned();
    let identifiers: Vec<_> = domains.map(Identifier::Dns).collect();
    let ordered = account.new_order(&NewOrder::new(&identifiers)).await;
    let mut order = match ordered {
        Ok(order) => order,
        Err(error) => {
            if is_unknown_account(&error) {
                // The next try makes another.
                cache.forget_account();
            }
            return Err(words(error));
        }
    };
    let result = fulfil(&mut order, settings, cache).await;
    for domain in &settings.domains {
        cache.forget_answer(domain);
    }
    result
}

async fn fulfil(order: &mut Order, settings: &Acme, cache: &Cache) -> Result<Identity, String> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(words)?;
        match &authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            status => {
                return Err(format!(
                    "the authority says of an authorization: {status:?}"
                ));
            }
        }
        let name = authorization.identifier().to_string();
        let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
        let mut challenge =
            challenge.ok_or_else(|| format!("{name}: the authority does not offer TLS-ALPN-01"))?;
        let authorization = challenge.key_authorization();
        let digest = authorization.digest();
        cache.answer(&name, digest.as_ref())?;
        challenge.set_ready().await.map_err(words)?;
    }
    let ready = order.poll_ready(&PATIENCE).await;
    if !matches!(ready, Ok(OrderStatus::Ready)) {
        let status = |status| format!("the authority says of the order: {status:?}");
        let said = ready.map_or_else(words, status);
        return Err(why_not(order).await.unwrap_or(said));
    }
    let failed = |error: rcgen::Error| error.to_string();
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(settings.domains.clone()).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key).map_err(failed)?;
    order.finalize_csr(request.der()).await.map_err(words)?;
    let chain = order.poll_certificate(&PATIENCE).await.map_err(words)?;
    let key = Secret::new(key.serialize_pem().into_bytes());
    Ok(Identity {
        cert: chain.into_bytes(),
        key: key.ok_or("the key is empty")?,
    })
}

/// Which name could not be proven, and why.
async fn why_not(order: &mut Order) -> Option<String> {
    let mut problems = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            continue;
        }
        let name = authorization.identifier().to_string();
        let errors = authorization.challenges.iter();
        let errors = errors.filter_map(|challenge| challenge.error.as_ref());
        problems.extend(errors.map(|problem| format!("{name}: {}", said(problem))));
    }
    (!problems.is_empty()).then(|| problems.join("; "))
}

/// The one of the folder, or a new one, which is kept there.
async fn account(settings: &Acme, cache: &Cache) -> Result<Account, String> {
    let client = Box::new(Http::new(settings)?);
    let builder = Account::builder_with_http(client);
    if let Some(credentials) = cache.account() {
        return builder.from_credentials(credentials).await.map_err(words);
    }
    let contact = settings.email.as_ref().map(|it| format!("mailto:{it}"));
    let contact: Vec<_> = contact.iter().map(String::as_str).collect();
    let account = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let made = builder.create(&account, settings.directory.clone(), None);
    let (account, credentials) = made.await.map_err(words)?;
    cache.keep_account(&credentials)?;
    Ok(account)
}

fn is_unknown_account(error: &Error) -> bool {
    let Error::Api(problem) = error else {
        return false;
    };
    let kind = problem.r#type.as_deref().unwrap_or_default();
    kind.ends_with(":accountDoesNotExist")
}

fn words(error: Error) -> String {
    match error {
        Error::Api(problem) => said(&problem),
        Error::Timeout(_) => "the authority did not decide in time".to_owned(),
        other => format!("the authority cannot be asked: {other}"),
    }
}

fn said(problem: &Problem) -> String {
    let text = problem.to_string();
    let text = text.strip_prefix("API error: ").unwrap_or(&text);
    format!("the authority says: {text}")
}

/// For the authority to look, and to issue.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(std::time::Duration::from_secs(120));
