"""Triggers of Cognito user pools: the function returns the document with ``response`` filled in (docs/lambda 15.7)."""

from __future__ import annotations

from functools import partial
from typing import Final

from pollers.samples.sample import Circumstances, Document, Sample

USER: Final = "jane"
NO_CHALLENGES_YET: Final[list[Document]] = []


def _attributes(at: Circumstances) -> Document:
    return {
        "sub": at.uuid(),
        "email": "jane@example.com",
        "email_verified": "true",
        "cognito:user_status": "CONFIRMED",
    }


def _trigger(
    at: Circumstances, *, source: str, request: Document, response: Document, attributes: bool = True
) -> Document:
    """What all triggers have. Members of the response that a function may fill in are null or false."""
    return {
        "version": "1",
        "region": at.region,
        "userPoolId": f"{at.region}_{at.word(9)}",
        "userName": USER,
        "callerContext": {"awsSdkVersion": "aws-sdk-js-3.1163.0", "clientId": at.word(26)},
        "triggerSource": source,
        "request": {**({"userAttributes": _attributes(at)} if attributes else {}), **request},
        "response": response,
    }


def pre_sign_up(at: Circumstances) -> Document:
    """Somebody signs up; the user does not exist yet."""
    request: Document = {
        "userAttributes": {"email": "jane@example.com"},
        "validationData": {"invitation": "spring"},
        "clientMetadata": {"campaign": "spring"},
    }
    response: Document = {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False}
    return _trigger(at, source="PreSignUp_SignUp", request=request, response=response, attributes=False)


def migrate_user(at: Circumstances) -> Document:
    """Somebody signs in whom the pool does not know, and another directory may."""
    request: Document = {"password": f"{at.word(12)}!", "validationData": None, "clientMetadata": None}
    response: Document = {
        "userAttributes": None,
        "forceAliasCreation": None,
        "enableSMSMFA": None,
        "finalUserStatus": None,
        "messageAction": None,
        "desiredDeliveryMediums": None,
    }
    return _trigger(at, source="UserMigration_Authentication", request=request, response=response, attributes=False)


def custom_message(at: Circumstances) -> Document:
    """A message with a code is about to be sent."""
    request: Document = {
        "codeParameter": "{####}",
        "linkParameter": "{##Click Here##}",
        "usernameParameter": USER,
        "clientMetadata": {"campaign": "spring"},
    }
    response: Document = {"smsMessage": None, "emailMessage": None, "emailSubject": None}
    return _trigger(at, source="CustomMessage_SignUp", request=request, response=response)


def pre_token(at: Circumstances) -> Document:
    """Tokens are about to be made (version 1 of the trigger)."""
    groups: Document = {"groupsToOverride": ["customers"], "iamRolesToOverride": [], "preferredRole": None}
    request: Document = {"groupConfiguration": groups, "clientMetadata": {"campaign": "spring"}}
    return _trigger(
        at, source="TokenGeneration_Authentication", request=request, response={"claimsOverrideDetails": None}
    )


def _plain(source: str, request: Document, response: Document, at: Circumstances) -> Document:
    """A trigger whose request has nothing of its own that changes."""
    return _trigger(at, source=source, request=request, response=response)


SAMPLES: Final = {
    "cognito": Sample("Cognito: somebody signs up (pre sign-up)", pre_sign_up),
    "cognito-create-auth-challenge": Sample(
        "Cognito: a challenge is to be made",
        partial(
            _plain,
            "CreateAuthChallenge_Authentication",
            {"challengeName": "CUSTOM_CHALLENGE", "session": NO_CHALLENGES_YET},
            {"publicChallengeParameters": None, "privateChallengeParameters": None, "challengeMetadata": None},
        ),
    ),
    "cognito-custom-message": Sample("Cognito: a message is about to be sent", custom_message),
    "cognito-define-auth-challenge": Sample(
        "Cognito: which challenge comes next",
        partial(
            _plain,
            "DefineAuthChallenge_Authentication",
            {"session": NO_CHALLENGES_YET},
            {"challengeName": None, "issueTokens": None, "failAuthentication": None},
        ),
    ),
    "cognito-migrate-user": Sample("Cognito: a user whom the pool does not know signs in", migrate_user),
    "cognito-post-authentication": Sample(
        "Cognito: somebody has signed in",
        partial(_plain, "PostAuthentication_Authentication", {"newDeviceUsed": False}, {}),
    ),
    "cognito-post-confirmation": Sample(
        "Cognito: somebody has confirmed",
        partial(_plain, "PostConfirmation_ConfirmSignUp", {"clientMetadata": {"campaign": "spring"}}, {}),
    ),
    "cognito-pre-authentication": Sample(
        "Cognito: somebody signs in",
        partial(_plain, "PreAuthentication_Authentication", {"validationData": {"device": "phone"}}, {}),
    ),
    "cognito-pre-token-generation": Sample("Cognito: tokens are about to be made", pre_token),
    "cognito-verify-auth-challenge": Sample(
        "Cognito: an answer to a challenge is to be judged",
        partial(
            _plain,
            "VerifyAuthChallengeResponse_Authentication",
            {"privateChallengeParameters": {"answer": "blue"}, "challengeAnswer": "blue"},
            {"answerCorrect": False},
        ),
    ),
}
"""By the names that ``headrace invoke --sample`` takes."""
